import t from 'tap'
import { createActor } from 'xstate'
import { type SessionActions, type SessionEvent, sessionMachine } from './session.machine.js'

/** A session that notes what it is made to do; `places` and `connections` are set as a test wants them. */
class Noted implements SessionActions {
  places = 1
  connections = 1
  readonly actions: string[] = []

  endConnections(outcome: string, why: string): void {
    this.actions.push(`end ${outcome}: ${why}`)
  }

  release(): void {
    this.actions.push('release')
  }
}

const placeLeft: SessionEvent = { type: 'place.left' }
const ended: SessionEvent = { type: 'connection.ended' }
const close: SessionEvent = { type: 'session.close', outcome: 'logout', why: 'logged out' }

interface Row {
  /** Events before, with as many places and connections as given then. */
  readonly from: readonly [event: SessionEvent, places: number, connections: number][]
  readonly event: SessionEvent
  readonly places: number
  readonly connections: number
  readonly to: string
  readonly actions?: string[]
}

const table: Row[] = [
  { from: [], event: placeLeft, places: 1, connections: 2, to: 'open' },
  { from: [], event: ended, places: 1, connections: 1, to: 'open' },
  { from: [], event: placeLeft, places: 0, connections: 1, to: 'closing' },
  { from: [], event: close, places: 2, connections: 2, to: 'closing', actions: ['end logout: logged out'] },
  { from: [[placeLeft, 0, 2]], event: ended, places: 0, connections: 1, to: 'closing' },
  { from: [[placeLeft, 0, 1]], event: ended, places: 0, connections: 0, to: 'ended', actions: ['release'] },
  { from: [[close, 2, 2]], event: placeLeft, places: 1, connections: 2, to: 'closing' },
  { from: [[close, 2, 2]], event: close, places: 2, connections: 2, to: 'closing' },
  { from: [[close, 1, 1]], event: ended, places: 0, connections: 0, to: 'ended', actions: ['release'] },
]

for (const row of table) {
  const before = row.from.map(([{ type }, , left]) => `${type} (${left} left)`).join(', ') || 'the start'
  const what = `${row.event.type} with ${row.places} places and ${row.connections} connections`
  t.test(`after ${before}: ${what} leads to ${row.to} [7143 §8.2]`, async t => {
    const session = new Noted()
    const actor = createActor(sessionMachine, { input: { session } })
    actor.start()
    for (const [event, places, connections] of [...row.from, [row.event, row.places, row.connections] as const]) {
      session.actions.length = 0
      session.places = places
      session.connections = connections
      actor.send(event)
    }
    t.equal(actor.getSnapshot().value, row.to)
    t.strictSame(session.actions, row.actions ?? [])
  })
}
