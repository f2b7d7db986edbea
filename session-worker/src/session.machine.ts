/**
 * The life of an iSCSI session as a machine: from the login of its first connection to the end of its last one. [7143 §6.3, §8.2]
 *
 *   open ──last place left, or closed──▶ closing ──last connection ended──▶ ended
 *
 * A connection has a *place* from the moment it may join until it is logged out or lost; it has *ended* when none of its I/O is under way
 * any more. So a session that is `closing` takes nobody new, and one that has `ended` leaves the volumes quiet.
 */
import { setup } from 'xstate'

export type SessionEvent =
  | { type: 'place.left' }
  | { type: 'connection.ended' }
  | { type: 'session.close'; outcome: 'logout' | 'dropped'; why: string }

/** What the machine makes its session do, and asks of it. */
export interface SessionActions {
  /** Ends every connection that still has a place. */
  endConnections(outcome: 'logout' | 'dropped', why: string): void
  /** Gives the volumes back. */
  release(): void
  readonly places: number
  /** Connections that have not ended. */
  readonly connections: number
}

const chart = setup({
  types: {
    context: {} as { readonly session: SessionActions },
    events: {} as SessionEvent,
    input: {} as { session: SessionActions },
  },
  actions: {
    endConnections: ({ context, event }) => {
      if (event.type === 'session.close') context.session.endConnections(event.outcome, event.why)
    },
    release: ({ context }) => context.session.release(),
  },
  guards: {
    noPlace: ({ context }) => context.session.places === 0,
    noConnection: ({ context }) => context.session.connections === 0,
  },
})

export const sessionMachine = chart.createMachine({
  id: 'session',
  context: ({ input }) => ({ session: input.session }),
  initial: 'open',
  states: {
    open: {
      on: {
        'place.left': { guard: 'noPlace', target: 'closing' },
        'session.close': { target: 'closing', actions: 'endConnections' },
      },
    },
    closing: {
      on: { 'connection.ended': { guard: 'noConnection', target: 'ended' } },
    },
    ended: { type: 'final', entry: 'release' },
  },
})
