/** One picture of `scsipub top`: lines of plain text for two looks at the server. */
import { formatSize } from '../quantities.js'
import { table } from '../table.js'
import type { Overview, Worker } from '../worker-answers.js'
import { type Rates, ratesOf } from './rates.js'

export interface FrameInput {
  readonly before: Overview
  readonly now: Overview
  /** Between the two looks. */
  readonly seconds: number
  /** What time it is, for how long the server has run. */
  readonly nowMs: number
}

const HEAD = [
  'WORKER',
  'STATE',
  'SESSIONS',
  'READ/s',
  'WRITE/s',
  'READ B/s',
  'WRITE B/s',
  'LATENCY',
  'P99',
  'HEAP',
  'DELAY',
  'RESTARTS',
]

export function frameText({ before, now, seconds, nowMs }: FrameInput): string {
  const rates = ratesOf(before, now, seconds)
  const { all } = rates
  const rows = now.workers.map(worker => rowOf(worker, rates.workers.get(worker.worker)))
  const { restarts } = now
  const summary = [
    `scsipub, up ${formatSpan(nowMs - Date.parse(now.started_at))}, ${stateOf(now)}`,
    `sessions ${now.sessions}, connections ${now.connections}, state store ${now.state_store_up ? 'up' : 'DOWN'}`,
    `I/O ${count(all.readsPerSecond + all.writesPerSecond)}/s (${count(all.readsPerSecond)} reads, ${count(all.writesPerSecond)} writes), ` +
      `${formatSize(all.readBytesPerSecond)}/s read, ${formatSize(all.writeBytesPerSecond)}/s written, latency ${latencyText(all)}`,
    `restarts ${restarts.workers} workers, ${restarts.moved} sessions moved, ${restarts.dropped} dropped, ${restarts.failed} failed`,
  ]
  return `${summary.join('\n')}\n\n${table(HEAD, rows)}`
}

function stateOf({ draining, restart }: Overview): string {
  if (draining) return 'DRAINING'
  if (restart?.[0] !== undefined) return `restarting worker ${restart[0]}, ${restart.length - 1} to follow`
  return 'serving'
}

function rowOf(worker: Worker, rates: Rates | undefined): string[] {
  const { latency } = rates ?? {}
  return [
    String(worker.worker),
    worker.state,
    String(worker.sessions),
    count(rates?.readsPerSecond ?? 0),
    count(rates?.writesPerSecond ?? 0),
    formatSize(rates?.readBytesPerSecond ?? 0),
    formatSize(rates?.writeBytesPerSecond ?? 0),
    latency ? formatUs(latency.meanUs) : '-',
    latency ? `<${formatUs(latency.p99Us)}` : '-',
    formatSize(worker.heap_bytes + worker.external_bytes),
    `${worker.loop_delay_ms.max.toFixed(1)} ms`,
    worker.died === 0 ? String(worker.replaced) : `${worker.replaced}, ${worker.died} died`,
  ]
}

function latencyText({ latency }: Rates): string {
  return latency ? `${formatUs(latency.meanUs)}, p99 under ${formatUs(latency.p99Us)}` : '-'
}

function count(perSecond: number): string {
  return String(Math.round(perSecond))
}

/** `350 µs`, `4.1 ms`, `2.0 s` */
export function formatUs(us: number): string {
  if (us < 1_000) return `${Math.round(us)} µs`
  return us < 1_000_000 ? `${(us / 1_000).toFixed(1)} ms` : `${(us / 1_000_000).toFixed(1)} s`
}

/** `3 d 4 h`, `4 h 10 min`, `10 min 5 s`, `5 s` */
export function formatSpan(ms: number): string {
  let left = Math.max(0, Math.floor(ms / 1_000))
  const parts: string[] = []
  for (const [unit, seconds] of [
    ['d', 86_400],
    ['h', 3_600],
    ['min', 60],
    ['s', 1],
  ] as const) {
    const whole = Math.floor(left / seconds)
    left -= whole * seconds
    if (whole > 0 || (unit === 's' && parts.length === 0)) parts.push(`${whole} ${unit}`)
  }
  return parts.slice(0, 2).join(' ')
}
