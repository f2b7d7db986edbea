// The cells by which the supervisor knows how the connections of a dead worker stood.

import t from 'tap'
import { CELL_STATE, readCell, SessionCells } from './session-cells.js'

t.test('a cell says that its connection rests only between sections', async t => {
  const cells = new SessionCells()
  const cell = cells.take(7)
  const state = () => readCell(cell.place).state
  cell.begin(1_000)
  cell.version = 3
  t.equal(state(), CELL_STATE.busy, 'at first')
  cell.received(48)
  t.equal(state(), CELL_STATE.running)
  cell.rest(0xffffffff, 12)
  t.same(readCell(cell.place), {
    state: CELL_STATE.resting,
    statSn: 0xffffffff,
    expCmdSn: 12,
    bytes: 1_048,
    version: 3,
  })
  cell.stir()
  t.equal(state(), CELL_STATE.busy, 'when something is about to be said')
  cell.received(48)
  cell.stir()
  t.equal(state(), CELL_STATE.running, 'whose section it is remains known')
  cell.busy()
  t.equal(state(), CELL_STATE.busy)
})

t.test('cells have nothing to do with one another, and are used again', async t => {
  const cells = new SessionCells()
  const many = Array.from({ length: 600 }, (_, index) => cells.take(index))
  for (const [index, cell] of many.entries()) {
    cell.begin(index)
    cell.rest(index, 2 * index)
  }
  for (const [index, cell] of many.entries())
    t.match(readCell(cell.place), { state: CELL_STATE.resting, statSn: index, expCmdSn: 2 * index, bytes: index })
  const [first] = many
  cells.give(first!)
  const next = cells.take(9)
  t.same(next.place, first!.place)
  t.equal(next.connectionId, 9)
  next.begin(0)
  t.match(readCell(next.place), { state: CELL_STATE.busy, bytes: 0, version: 0 })
})
