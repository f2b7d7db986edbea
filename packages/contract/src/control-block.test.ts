import fc from 'fast-check'
import t from 'tap'
import { SECTORS_PER_BITMAP_PAGE } from './bitmap-page.js'
import { Borrower } from './borrower.js'
import { ControlBlock, MAX_WORKER_SLOTS } from './control-block.js'
import { UNIT_STATE } from './unit-state.js'
import { VOLUME_STAGE } from './volume-stage.js'

t.test('a closed gate lets nobody in, and nothing is held by who tried', async t => {
  const block = ControlBlock.create(1024, 0)
  t.equal(block.enter(3), true)
  block.closeGate()
  t.equal(block.gateClosed, true)
  t.equal(block.enter(4), false)
  t.equal(block.inFlight(), 1, 'only the one that came before')
  block.leave(3)
  t.equal(block.inFlight(), 0)
  block.openGate()
  t.equal(block.enter(4), true)
})

t.test('what a dead worker had in flight can be taken back', async t => {
  const block = ControlBlock.create(1024, 0)
  for (let count = 0; count < 3; count++) block.enter(MAX_WORKER_SLOTS - 1)
  block.enter(0)
  t.equal(block.resetSlot(MAX_WORKER_SLOTS - 1), 3)
  t.equal(block.inFlight(), 1)
})

t.test('all threads see the same words', async t => {
  const block = ControlBlock.create(1024, 0)
  const other = new ControlBlock(block.shared)
  t.equal(other.stage, VOLUME_STAGE.unwritten)
  block.stage = VOLUME_STAGE.materialised
  other.enter(1)
  t.equal(other.stage, VOLUME_STAGE.materialised)
  t.equal(block.inFlight(), 1)
})

t.test('the quota is booked to the last sector and not beyond', async t => {
  const block = ControlBlock.create(1024, 10)
  t.equal(block.space.charge(7), true)
  t.equal(block.space.charge(4), false)
  t.equal(block.space.allocatedSectors, 7, 'a refused charge books nothing')
  t.equal(block.space.charge(3), true)
  block.space.refund(1)
  t.equal(block.space.charge(2), false)
  t.equal(block.space.charge(1), true)
})

t.test('without a quota there is no end', async t => {
  const block = ControlBlock.create(1024, 0)
  t.equal(block.space.charge(2 ** 40), true)
  t.equal(block.space.allocatedSectors, 2 ** 40, 'more than 32 bits')
})

t.test('marks of changed pages are taken once each, in order, whatever the size of the volume', async t => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 200 }), fc.array(fc.nat(199)), (pages, marks) => {
      const block = ControlBlock.create(pages * SECTORS_PER_BITMAP_PAGE, 0)
      const marked = marks.map(mark => mark % pages)
      for (const page of marked) block.dirty.mark(page)
      const expected = [...new Set(marked)].sort((a, b) => a - b)
      t.same(block.dirty.take(), expected)
      t.same(block.dirty.take(), [])
    }),
    { numRuns: 50 },
  )
})

t.test(
  'a successor has the state, the reservations and the quota; what is booked and marked only with the same overlay',
  async t => {
    const block = ControlBlock.create(SECTORS_PER_BITMAP_PAGE, 1000)
    block.stage = VOLUME_STAGE.materialised
    block.space.charge(7)
    block.setEverUnmapped()
    block.dirty.mark(0)
    block.setUnitState(UNIT_STATE.descriptorSense, true)
    block.setPersistentAccess({ full: ['a'], othersRead: true })
    block.holder = 5
    block.closeGate()
    const same = block.successor(40 * SECTORS_PER_BITMAP_PAGE, 'same')
    const empty = block.successor(SECTORS_PER_BITMAP_PAGE, 'empty')
    for (const next of [same, empty]) {
      t.equal(next.gateClosed, true)
      t.equal(next.inFlight(), 0)
      t.equal(next.space.quotaSectors, 1000)
      t.equal(next.unitState, block.unitState)
      t.equal(next.holder, 5)
      t.equal(next.accessGeneration, block.accessGeneration)
      t.equal(next.persistentAccess(new Borrower(1, 'a')), 'full')
      t.equal(next.persistentAccess(new Borrower(1, 'b')), 'read')
    }
    t.same([same.space.allocatedSectors, same.everUnmapped, same.dirty.take()], [7, true, [0]])
    t.same([empty.space.allocatedSectors, empty.everUnmapped, empty.dirty.take()], [0, false, []])
    same.dirty.mark(39)
    t.same(same.dirty.take(), [39])
  },
)
