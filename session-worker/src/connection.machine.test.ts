import t from 'tap'
import { createActor, SimulatedClock } from 'xstate'
import {
  type ConnectionActions,
  type ConnectionEvent,
  connectionMachine,
  FINISH_TIMEOUT_MS,
  LOGIN_TIMEOUT_MS,
} from './connection.machine.js'

const completed: ConnectionEvent = { type: 'login.completed' }
const refused: ConnectionEvent = { type: 'login.refused', why: 'no such target' }
const loggedOut: ConnectionEvent = { type: 'logout.answered' }
const broken: ConnectionEvent = { type: 'stream.broken', why: 'data digest' }
const closed: ConnectionEvent = { type: 'socket.closed', why: 'connection reset' }
const end: ConnectionEvent = { type: 'connection.end', outcome: 'reinstated', why: 'a new login' }
const drain: ConnectionEvent = { type: 'connection.drain', deadlineMs: 10_000, why: 'the server stops' }
const elsewhere: ConnectionEvent = { type: 'login.elsewhere', tsih: 7, received: 'QUJD' }
const settled: ConnectionEvent = { type: 'tasks.settled' }
const handedOver: ConnectionEvent = { type: 'connection.handedOver' }

function start() {
  const actions: string[] = []
  const connection: ConnectionActions = {
    abortTasks: ({ outcome }) => actions.push(`abortTasks ${outcome}`),
    requestLogout: ms => actions.push(`requestLogout ${ms}`),
    finish: ({ outcome }) => actions.push(`finish ${outcome}`),
    release: () => actions.push('release'),
    leaveBehind: ({ outcome }) => actions.push(`leaveBehind ${outcome}`),
  }
  const clock = new SimulatedClock()
  const actor = createActor(connectionMachine, { input: { connection }, clock })
  actor.start()
  return {
    actions,
    clock,
    actor,
    state: () => JSON.stringify(actor.getSnapshot().value).replaceAll(/["{}]/g, '').replaceAll(':', '.'),
  }
}

/** from (events that lead there) × event → state, actions, outcome when it is over. */
const table: { from: ConnectionEvent[]; event: ConnectionEvent; to: string; actions?: string[]; outcome?: string }[] = [
  { from: [], event: completed, to: 'fullFeature.serving' },
  { from: [], event: refused, to: 'finishing', actions: ['finish refused'] },
  { from: [], event: elsewhere, to: 'ending', actions: ['abortTasks moved'] },
  { from: [elsewhere], event: settled, to: 'ended', actions: ['release'], outcome: 'moved' },
  { from: [completed], event: elsewhere, to: 'fullFeature.serving' },
  { from: [], event: closed, to: 'ending', actions: ['abortTasks closed'] },
  { from: [], event: drain, to: 'ending', actions: ['abortTasks drained'] },
  { from: [], event: handedOver, to: 'handedOver', actions: ['leaveBehind handedOver'], outcome: 'handedOver' },
  {
    from: [completed],
    event: handedOver,
    to: 'handedOver',
    actions: ['leaveBehind handedOver'],
    outcome: 'handedOver',
  },
  { from: [completed, drain], event: handedOver, to: 'fullFeature.draining' },
  { from: [completed, loggedOut], event: handedOver, to: 'finishing' },
  { from: [completed, closed], event: handedOver, to: 'ending' },
  { from: [completed], event: loggedOut, to: 'finishing', actions: ['finish logout'] },
  { from: [completed], event: broken, to: 'finishing', actions: ['finish dropped'] },
  { from: [completed, broken, closed], event: settled, to: 'ended', actions: ['release'], outcome: 'dropped' },
  { from: [completed], event: closed, to: 'ending', actions: ['abortTasks closed'] },
  { from: [completed], event: end, to: 'ending', actions: ['abortTasks reinstated'] },
  { from: [completed], event: drain, to: 'fullFeature.draining', actions: ['requestLogout 10000'] },
  { from: [completed, drain], event: loggedOut, to: 'finishing', actions: ['finish logout'] },
  { from: [completed, drain], event: end, to: 'ending', actions: ['abortTasks reinstated'] },
  { from: [completed, loggedOut], event: closed, to: 'ending', actions: ['abortTasks logout'] },
  { from: [completed, loggedOut, closed], event: settled, to: 'ended', actions: ['release'], outcome: 'logout' },
  { from: [completed, closed], event: settled, to: 'ended', actions: ['release'], outcome: 'closed' },
  { from: [completed, end], event: settled, to: 'ended', actions: ['release'], outcome: 'reinstated' },
  { from: [completed, end], event: closed, to: 'ending' },
  { from: [completed, closed], event: end, to: 'ending' },
  { from: [completed, closed, end], event: settled, to: 'ended', actions: ['release'], outcome: 'closed' },
  { from: [refused, closed], event: settled, to: 'ended', actions: ['release'], outcome: 'refused' },
  { from: [drain], event: settled, to: 'ended', actions: ['release'], outcome: 'drained' },
  { from: [completed, closed, settled], event: closed, to: 'ended', outcome: 'closed' },
]

for (const row of table) {
  const path = row.from.map(({ type }) => type).join(', ') || 'the start'
  t.test(`after ${path}: ${row.event.type} leads to ${row.to}`, async t => {
    const { actor, actions, state } = start()
    for (const event of row.from) actor.send(event)
    actions.length = 0
    actor.send(row.event)
    t.equal(state(), row.to)
    t.strictSame(actions, row.actions ?? [])
    if (row.outcome) t.equal(actor.getSnapshot().output?.outcome, row.outcome)
  })
}

t.test('a login that is not finished in time ends the connection', async t => {
  const { actor, clock, state } = start()
  clock.increment(LOGIN_TIMEOUT_MS - 1)
  t.equal(state(), 'login')
  clock.increment(1)
  t.equal(state(), 'ending')
  actor.send(settled)
  t.equal(actor.getSnapshot().output?.outcome, 'dropped')
})

t.test('a completed login is not under the deadline any more', async t => {
  const { actor, clock, state } = start()
  actor.send(completed)
  clock.increment(LOGIN_TIMEOUT_MS * 2)
  t.equal(state(), 'fullFeature.serving')
})

t.test('an initiator that does not close after its logout is closed', async t => {
  const { actor, clock, state } = start()
  for (const event of [completed, loggedOut]) actor.send(event)
  clock.increment(FINISH_TIMEOUT_MS)
  t.equal(state(), 'ending')
  actor.send(settled)
  t.equal(actor.getSnapshot().output?.outcome, 'logout')
})

t.test('the drain deadline closes a connection that goes on', async t => {
  const { actor, clock, state } = start()
  for (const event of [completed, drain]) actor.send(event)
  clock.increment(9_999)
  t.equal(state(), 'fullFeature.draining')
  clock.increment(1)
  t.equal(state(), 'ending')
  actor.send(settled)
  t.equal(actor.getSnapshot().output?.outcome, 'drained')
})
