/** For how long sessions were not served when they moved: what is told of one restart, and what is counted of all. Milliseconds. */

/** Median, 99th percentile and longest, to a hundredth of a millisecond; 0 of none. */
export interface PauseSummary {
  readonly median: number
  readonly p99: number
  readonly max: number
}

/** Bounds of the histogram. */
export const PAUSE_BOUNDS_MS = [1, 2, 5, 10, 20, 50, 100, 250, 500, 1_000, 5_000] as const

/** Of these pauses, by the nearest rank. */
export function summaryOfPauses(pausesMs: readonly number[]): PauseSummary {
  const sorted = [...pausesMs].sort((a, b) => a - b)
  const rank = (part: number) => round(sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? 0)
  return { median: rank(0.5), p99: rank(0.99), max: rank(1) }
}

/** All pauses since the start of the server, as a histogram. */
export class Pauses {
  /** How many were as long as the bound of that index or shorter, but longer than the one before; the last: longer than all bounds. */
  readonly counts: number[] = new Array(PAUSE_BOUNDS_MS.length + 1).fill(0)
  sumMs = 0

  add(pausesMs: readonly number[]): void {
    for (const pause of pausesMs) {
      const at = PAUSE_BOUNDS_MS.findIndex(bound => pause <= bound)
      const index = at < 0 ? PAUSE_BOUNDS_MS.length : at
      this.counts[index] = (this.counts[index] ?? 0) + 1
      this.sumMs += pause
    }
  }
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100
}
