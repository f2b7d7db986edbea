import t from 'tap'
import { next, OPEN, type SessionAction, type SessionEvent } from './session.machine.js'

type Event = SessionEvent['type']

const table: { from: Event[]; event: Event; to: string; actions?: SessionAction[] }[] = [
  { from: [], event: 'lastConnection.ended', to: 'open' },
  { from: [], event: 'lastPlace.left', to: 'closing' },
  { from: [], event: 'session.close', to: 'closing', actions: ['endConnections'] },
  { from: ['lastPlace.left'], event: 'lastPlace.left', to: 'closing' },
  { from: ['lastPlace.left'], event: 'session.close', to: 'closing' },
  { from: ['lastPlace.left'], event: 'lastConnection.ended', to: 'ended', actions: ['release'] },
  { from: ['session.close'], event: 'lastPlace.left', to: 'closing' },
  { from: ['session.close'], event: 'session.close', to: 'closing' },
  { from: ['session.close'], event: 'lastConnection.ended', to: 'ended', actions: ['release'] },
  { from: ['lastPlace.left', 'lastConnection.ended'], event: 'session.close', to: 'ended' },
  { from: ['lastPlace.left', 'lastConnection.ended'], event: 'lastConnection.ended', to: 'ended' },
]

for (const { from, event, to, actions = [] } of table) {
  t.test(`after ${from.join(', ') || 'the start'}: ${event} leads to ${to} [7143 §8.2]`, async t => {
    // Twice: the first time XState is asked, the second time it is known.
    for (const _ of [1, 2]) {
      const state = next(from.reduce(next, OPEN), event)
      t.equal(state.name, to)
      t.strictSame(state.actions, actions)
    }
  })
}

t.equal(OPEN.name, 'open', 'a session begins open')
t.strictSame(OPEN.actions, [], 'with nothing to do')
