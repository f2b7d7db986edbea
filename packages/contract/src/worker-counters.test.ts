/** What is counted is what is seen, by another view of the same memory; slots do not meet. */
import t from 'tap'
import { createWorkerCounters, IO_KIND, sumOfCounts, WorkerCounters } from './worker-counters.js'

t.test('counts of one slot are seen through another view, and not in the slots beside it', async t => {
  const shared = createWorkerCounters()
  const own = new WorkerCounters(shared, 5)
  for (let command = 0; command < 40; command++) own.answered(IO_KIND.read, own.began(), 4096)
  own.answered(IO_KIND.write, own.began(), 512)
  own.answered(IO_KIND.write, own.began(), -1)
  own.answered(IO_KIND.other, own.began(), 36)
  own.failed(7, true)
  own.failed(3, false)
  const { senseKeys, latency, ...counts } = new WorkerCounters(shared, 5).counts
  t.same(counts, { commands: 43, reads: 40, readBytes: 163_840, writes: 1, writeBytes: 512, outOfSpace: 1 })
  t.same(senseKeys, [0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0])
  t.equal(sum(latency.read.buckets), 2, 'every 16th command is timed')
  for (const slot of [4, 6]) t.same(new WorkerCounters(shared, slot).counts, sumOfCounts([]))
})

t.test('a latency is in the bucket of its binary logarithm', async t => {
  const counters = new WorkerCounters(createWorkerCounters(), 0)
  t.intercept(performance, 'now', { value: () => 10_000 }) // a clock that stands
  const now = 10_000_000
  counters.answered(IO_KIND.write, now - 5_000, 0)
  counters.answered(IO_KIND.write, now - 3_000_000, 0)
  const { buckets, sumUs } = counters.counts.latency.write
  t.equal(buckets[12], 1, '4,096 to 8,191 µs')
  t.equal(buckets[21], 1, '2.1 to 4.2 s')
  t.ok(Math.abs(sumUs - 3_005_000) < 10, `${sumUs}`)
})

t.test('health is that of the last beat', async t => {
  const counters = new WorkerCounters(createWorkerCounters(), 63)
  const health = { heapBytes: 1e9, externalBytes: 2, delayMean: 0.5, delayP99: 3, delayMax: 40 }
  counters.beat({ ...health, heapBytes: 1 })
  counters.beat(health)
  t.same(counters.health, health)
  t.equal(counters.beats, 2)
  counters.clear()
  t.equal(counters.beats, 0)
})

t.test('sums are of everything', async t => {
  const shared = createWorkerCounters()
  for (const slot of [0, 1]) {
    const counters = new WorkerCounters(shared, slot)
    counters.answered(IO_KIND.read, (performance.now() * 1000 - 100) | 1, 10)
    counters.failed(5, false)
  }
  const total = sumOfCounts([0, 1].map(slot => new WorkerCounters(shared, slot).counts))
  t.match(total, { reads: 2, readBytes: 20 })
  t.equal(total.senseKeys[5], 2)
  t.equal(sum(total.latency.read.buckets), 2)
})

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
