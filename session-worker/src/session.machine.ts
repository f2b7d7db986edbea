/**
 * The life of an iSCSI session as a machine: from the login of its first connection to the end of its last one. [7143 §6.3, §8.2]
 *
 *   open ──last place left, or closed──▶ closing ──last connection ended──▶ ended
 *
 * A connection has a *place* from the moment it may join until it is logged out or lost; it has *ended* when none of its I/O is under way
 * any more. So a session that is `closing` takes nobody new, and one that has `ended` leaves the volumes quiet.
 *
 * There is no data in it and no clock, so a session needs no actor of its own, which would cost it 4 KiB and every login 40 µs: XState is asked once for each
 * state and event, and from then on it is a look-up.
 */
import { initialTransition, type SnapshotFrom, setup, transition } from 'xstate'

export type SessionEvent = { type: 'lastPlace.left' } | { type: 'lastConnection.ended' } | { type: 'session.close' }
/** What the session has to do. `endConnections`: every connection that still has a place. `release`: give the volumes back. */
export type SessionAction = 'endConnections' | 'release'

/** A state of the life, the same object for all sessions that are in it. */
export interface SessionState {
  readonly name: 'open' | 'closing' | 'ended'
  /** What the event that led here makes the session do. */
  readonly actions: readonly SessionAction[]
}

const chart = setup({
  types: { events: {} as SessionEvent },
  actions: { endConnections: () => {}, release: () => {} },
})

const sessionMachine = chart.createMachine({
  id: 'session',
  initial: 'open',
  states: {
    open: {
      on: { 'lastPlace.left': 'closing', 'session.close': { target: 'closing', actions: 'endConnections' } },
    },
    closing: { on: { 'lastConnection.ended': 'ended' } },
    ended: { type: 'final', entry: 'release' },
  },
})

type Snapshot = SnapshotFrom<typeof sessionMachine>

const snapshots = new WeakMap<SessionState, Snapshot>()
const known = new Map<string, SessionState>()

/** The state of a session that begins. */
export const OPEN = stateOf(...initialTransition(sessionMachine))

/** Where an event leads. */
export function next(state: SessionState, event: SessionEvent['type']): SessionState {
  const key = `${state.name} ${event}`
  let found = known.get(key)
  if (!found) {
    found = stateOf(...transition(sessionMachine, snapshots.get(state)!, { type: event }))
    known.set(key, found)
  }
  return found
}

function stateOf(snapshot: Snapshot, actions: readonly { readonly type: string }[]): SessionState {
  const state = { name: snapshot.value, actions: actions.map(({ type }) => type as SessionAction) }
  snapshots.set(state, snapshot)
  return state
}
