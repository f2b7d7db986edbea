/** The state that nexuses of a logical unit share: who holds what, and when it is given back. */
import { setImmediate } from 'node:timers/promises'
import { Borrower, ControlBlock, RpcError, UNIT_STATE } from '@scsipub/contract'
import t from 'tap'
import { Exclusion } from './exclusion.js'
import { UnitState } from './unit-state.js'

const one = { sessionId: 1, slot: 0 }
const two = { sessionId: 2, slot: 1 }

function unitOf() {
  const control = ControlBlock.create(2048, 0)
  const exclusion = new Exclusion({ control, name: 'disk', opened: () => {} })
  return { control, exclusion, unit: new UnitState({ control, exclusion }, () => {}) }
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'done',
    (error: unknown) => (error instanceof RpcError ? error.code : String(error)),
  )
}

t.test('a reservation waits for I/O in flight, and from its answer on keeps all others out [SPC-2 §7.21]', async t => {
  const { control, unit } = unitOf()
  t.ok(control.enter(1), 'a write of the second nexus begins')
  t.equal(control.refuses(new Borrower(two.sessionId, ''), true), undefined)
  let answered = false
  const reserving = unit.reserve(one).then(() => (answered = true))
  for (let turn = 0; turn < 5; turn++) await setImmediate()
  t.notOk(answered, 'it is not answered while that is in flight')
  control.leave(1)
  await reserving
  t.equal(control.refuses(new Borrower(two.sessionId, ''), true), 'reserved')
  t.equal(control.refuses(new Borrower(one.sessionId, ''), true), undefined)
  t.notOk(control.gateClosed)
})

t.test('the holder may reserve again and release; others neither [SPC-2 §7.16, §7.21]', async t => {
  const { control, unit } = unitOf()
  await unit.reserve(one)
  await unit.reserve(one)
  t.equal(await codeOf(unit.reserve(two)), 'reserved')
  unit.release(two.sessionId)
  t.equal(control.holder, one.sessionId)
  unit.release(one.sessionId)
  t.equal(control.refuses(new Borrower(two.sessionId, ''), true), undefined)
  await unit.reserve(two)
  t.equal(control.holder, two.sessionId)
})

t.test('of two that reserve at the same time one has it [SPC-2 §7.21]', async t => {
  const { control, unit } = unitOf()
  t.same(await Promise.all([codeOf(unit.reserve(one)), codeOf(unit.reserve(two))]), ['done', 'reserved'])
  t.equal(control.holder, one.sessionId)
})

t.test('a session that ends, or whose worker dies, holds nothing any more, whatever was under way', async t => {
  for (const gone of [(unit: UnitState) => unit.leave(one.sessionId), (unit: UnitState) => unit.workerGone(one.slot)]) {
    const { control, unit } = unitOf()
    await unit.reserve(one)
    unit.prevent(one, true)
    gone(unit)
    t.equal(control.holder, 0)
    t.equal(await codeOf(unit.eject()), 'done')
    control.enter(5)
    const late = codeOf(unit.reserve(one))
    await setImmediate()
    gone(unit)
    control.leave(5)
    t.equal(await late, 'gone', 'a reservation that waited is not made')
    t.equal(control.holder, 0)
  }
})

t.test('the end of another session changes nothing', async t => {
  const { control, unit } = unitOf()
  await unit.reserve(one)
  unit.prevent(one, true)
  unit.leave(two.sessionId)
  unit.workerGone(two.slot)
  t.equal(control.holder, one.sessionId)
  t.equal(await codeOf(unit.eject()), 'prevented')
})

t.test('a medium is removed when no nexus prevents it [SPC-4 §6.15]', async t => {
  const { control, unit } = unitOf()
  unit.prevent(one, true)
  unit.prevent(two, true)
  unit.prevent(one, false)
  t.equal(await codeOf(unit.eject()), 'prevented')
  unit.prevent(two, false)
  await unit.eject()
  t.equal(control.refuses(new Borrower(one.sessionId, ''), true), 'no-medium')
  await unit.eject()
  unit.prevent(one, true)
  t.throws(() => unit.load(), { code: 'prevented' }, 'nor put in')
  unit.prevent(one, false)
  t.ok(unit.load(), 'it was out')
  t.notOk(unit.load(), 'it is in already')
  t.equal(control.unitState, 0)
})

t.test('a reset brings everything back but the medium [SAM-5 §6.3.3]', async t => {
  const { control, unit } = unitOf()
  await unit.reserve(one)
  t.ok(unit.setMode({ softwareWriteProtect: true, descriptorSense: true }))
  t.notOk(unit.setMode({ softwareWriteProtect: true, descriptorSense: true }), 'nothing new')
  unit.prevent(two, true)
  unit.reset()
  t.equal(control.unitState, 0)
  await unit.eject()
  unit.reset()
  t.equal(control.unitState, UNIT_STATE.mediumAbsent)
})

t.test('I/O that does not end makes a reservation fail as busy, with nothing reserved', async t => {
  const { control } = unitOf()
  const busy = { run: () => Promise.reject(new RpcError('busy', 'test')) }
  const unit = new UnitState({ control, exclusion: busy }, () => {})
  t.equal(await codeOf(unit.reserve(one)), 'busy')
  t.equal(control.holder, 0)
  t.equal(await codeOf(unit.reserve(two)), 'busy', 'the other one does not meet a ghost')
})
