/** What happened between two looks at the server: operations, bytes and latency a second, of each worker and of all. */
import type { Latency, Overview, Worker } from '../worker-answers.js'

export interface Rates {
  readonly readsPerSecond: number
  readonly writesPerSecond: number
  readonly readBytesPerSecond: number
  readonly writeBytesPerSecond: number
  /** Of READs and WRITEs, in µs; undefined when none was timed. `p99` is the upper bound of its bucket. */
  readonly latency: { readonly meanUs: number; readonly p99Us: number } | undefined
}

/** Rates by the number of the worker, and of all workers. `seconds`: between the looks. */
export function ratesOf(
  before: Overview,
  now: Overview,
  seconds: number,
): { readonly workers: ReadonlyMap<number, Rates>; readonly all: Rates } {
  const pairs = now.workers.flatMap(worker => {
    const old = before.workers.find(other => other.worker === worker.worker)
    return old ? [{ old, worker }] : []
  })
  // A server that was started anew counts from 0.
  const isSame = before.started_at === now.started_at
  const of = (some: typeof pairs) => sum(isSame ? some : [], seconds)
  return { workers: new Map(pairs.map(pair => [pair.worker.worker, of([pair])])), all: of(pairs) }
}

function sum(pairs: readonly { old: Worker; worker: Worker }[], seconds: number): Rates {
  const rate = (of: (worker: Worker) => number) =>
    pairs.reduce((total, { old, worker }) => total + Math.max(0, of(worker) - of(old)), 0) / seconds
  const latencies = pairs.flatMap(({ old, worker }) => [
    differenceOf(old.latency.read, worker.latency.read),
    differenceOf(old.latency.write, worker.latency.write),
  ])
  return {
    readsPerSecond: rate(({ reads }) => reads),
    writesPerSecond: rate(({ writes }) => writes),
    readBytesPerSecond: rate(({ read_bytes }) => read_bytes),
    writeBytesPerSecond: rate(({ write_bytes }) => write_bytes),
    latency: summaryOf(latencies),
  }
}

function differenceOf(old: Latency, now: Latency): Latency {
  return {
    sum_us: now.sum_us - old.sum_us,
    buckets: now.buckets.map((count, index) => Math.max(0, count - (old.buckets[index] ?? 0))),
  }
}

function summaryOf(latencies: readonly Latency[]): Rates['latency'] {
  const buckets: number[] = []
  let [samples, sumUs] = [0, 0]
  for (const { sum_us, buckets: counts } of latencies) {
    sumUs += sum_us
    for (const [index, count] of counts.entries()) {
      buckets[index] = (buckets[index] ?? 0) + count
      samples += count
    }
  }
  if (samples === 0) return undefined
  const wanted = Math.ceil(samples * 0.99)
  let seen = 0
  const at = buckets.findIndex(count => {
    seen += count
    return seen >= wanted
  })
  return { meanUs: sumUs / samples, p99Us: 2 ** (at + 1) }
}
