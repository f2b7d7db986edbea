/** A worker tells that it is alive as soon as it is, and then how late its loop has been. */
import { setTimeout } from 'node:timers/promises'
import { createWorkerCounters, WorkerCounters } from '@scsipub/contract'
import t from 'tap'
import { beginPulse } from './pulse.js'

t.test('the first beat is at once, and one that comes after a stall has its length', async t => {
  const counters = new WorkerCounters(createWorkerCounters(), 3)
  beginPulse(counters)
  t.equal(counters.beats, 1)
  t.ok(counters.health.heapBytes > 1e6, `${counters.health.heapBytes}`)
  t.equal(counters.health.delayMax, 0)
  await setTimeout(100)
  const until = performance.now() + 300
  while (performance.now() < until);
  const stalled = counters.beats
  while (counters.beats === stalled) await setTimeout(50)
  t.ok(counters.health.delayMax >= 250 && counters.health.delayMax < 5_000, `${counters.health.delayMax}`)
})
