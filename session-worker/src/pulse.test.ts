/** A worker tells that it is alive as soon as it is, and then how late its loop has been. */
import { closeSync, ftruncateSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { createWorkerCounters, WorkerCounters } from '@scsipub/contract'
import { mmapShared } from '@scsipub/posix'
import { testFolder } from '@scsipub/testkit'
import t from 'tap'
import { beginPulse } from './pulse.js'

t.test('buffers count as memory, and mapped files do not', async t => {
  const counters = new WorkerCounters(createWorkerCounters(), 4)
  const path = join(testFolder(t), 'mapped')
  const fd = openSync(path, 'w+')
  ftruncateSync(fd, 2 ** 30)
  const mapping = mmapShared(fd, 2 ** 30)
  closeSync(fd)
  const buffer = Buffer.alloc(2 ** 24, 1)
  beginPulse(counters)
  const { externalBytes } = counters.health
  t.ok(externalBytes >= buffer.length && externalBytes < 2 ** 28, `${externalBytes}`)
  mapping.unmap()
})

t.test('the first beat is at once, and one that comes after a stall has its length', async t => {
  const counters = new WorkerCounters(createWorkerCounters(), 3)
  const began = performance.now()
  beginPulse(counters)
  t.equal(counters.beats, 1)
  t.ok(counters.health.heapBytes > 1e6, `${counters.health.heapBytes}`)
  t.equal(counters.health.delayMax, 0)
  await setTimeout(100)
  const until = performance.now() + 300
  while (performance.now() < until);
  const stalled = counters.beats
  let longest = 0
  // A beat that was due when the stall began is before the look that ends it.
  while (counters.beats < stalled + 2) {
    await setTimeout(50)
    longest = Math.max(longest, counters.health.delayMax)
  }
  t.ok(longest >= 250 && longest < performance.now() - began, `${longest}`)
})
