import t from 'tap'
import { MAX_WORKER_SLOTS } from './control-block.js'
import { WorkerSlots } from './worker-slots.js'

t.test('every worker has a slot of its own, and a freed one is given out again', async t => {
  const slots = new WorkerSlots()
  const first = slots.claim(11)
  const second = new WorkerSlots(slots.shared).claim(12)
  t.not(first, second)
  slots.free(first)
  t.equal(slots.claim(13), first)
})

t.test('more workers than slots are refused', async t => {
  const slots = new WorkerSlots()
  for (let thread = 1; thread <= MAX_WORKER_SLOTS; thread++) slots.claim(thread)
  t.throws(() => slots.claim(99), /all 64 worker slots are taken/)
})

t.test('what a thread has claimed is freed by its number, and nothing else', async t => {
  const slots = new WorkerSlots()
  slots.claim(11)
  const other = slots.claim(12)
  slots.freeOf(11)
  slots.freeOf(13)
  t.equal(slots.taken, 1)
  t.not(slots.claim(14), other)
})
