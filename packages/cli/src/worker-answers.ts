/** What the operator's calls answer, as far as the command shows it. */

export interface Latency {
  readonly sum_us: number
  /** Index n: samples of 2^n to 2^(n+1) µs. */
  readonly buckets: readonly number[]
}

export interface Worker {
  readonly worker: number
  readonly state: string
  readonly since?: string
  readonly sessions: number
  readonly connections: number
  readonly heap_bytes: number
  readonly external_bytes: number
  readonly loop_delay_ms: { readonly mean: number; readonly p99: number; readonly max: number }
  readonly replaced: number
  readonly died: number
  readonly reads: number
  readonly read_bytes: number
  readonly writes: number
  readonly write_bytes: number
  readonly latency: { readonly read: Latency; readonly write: Latency; readonly other: Latency }
}

export interface Overview {
  readonly started_at: string
  readonly draining: boolean
  readonly sessions: number
  readonly connections: number
  readonly state_store_up: boolean
  readonly restart?: readonly number[]
  readonly restarts: {
    readonly workers: number
    readonly failed: number
    readonly moved: number
    readonly dropped: number
  }
  readonly workers: readonly Worker[]
}

export interface RestartReport {
  readonly moved: number
  readonly dropped: number
  readonly pauseMs: { readonly median: number; readonly p99: number; readonly max: number }
}
