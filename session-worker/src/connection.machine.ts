/**
 * The life of an iSCSI connection as a machine: one actor a connection. Single PDUs of the full feature phase do not pass through it;
 * it hears of what changes the connection's state. The session that it belongs to is in `session.machine.ts`.
 *
 *   login ──completed──▶ fullFeature.serving ──drain──▶ fullFeature.draining
 *     │ refused                 │ logged out, stream broken     │
 *     └────────▶ finishing ◀────┴───────────────────────────────┘
 *                    │ closed, or not closed in time
 *                    ▼
 *   any state ──▶ ending ──tasks settled──▶ ended        (socket closed, told to end, login too slow, drain deadline,
 *                                                       or the login is another worker's)
 *
 * `handedOver`: from `login` and `serving`, the states in which a connection can be given to another worker.
 *
 * `finishing` has sent its last word and waits for the initiator to close; `ending` waits until no I/O of the connection is
 * under way any more, so that whoever comes next finds the volume quiet. [7143 §7.2, §8.2]
 */

import type { ConnectionEnd } from '@scsipub/contract'
import { setup } from 'xstate'

export type Outcome = ConnectionEnd['outcome']

export type ConnectionEvent =
  | { type: 'login.completed' }
  | { type: 'login.refused'; why: string }
  | { type: 'login.elsewhere'; tsih: number; received: string }
  | { type: 'logout.answered' }
  | { type: 'stream.broken'; why: string }
  | { type: 'socket.closed'; why: string }
  | { type: 'connection.end'; outcome: Outcome; why: string }
  | { type: 'connection.drain'; deadlineMs: number; why: string }
  | { type: 'tasks.settled' }
  | { type: 'connection.handedOver' }

/** What the machine makes its connection do. */
export interface ConnectionActions {
  /** It is over: stop reading, abort the tasks, and tell `tasks.settled` when none runs any more. */
  abortTasks(end: ConnectionEnd): void
  /** Ask the initiator to log out. [7143 §11.9.1, event 1] */
  requestLogout(deadlineMs: number): void
  /** Send what is built and a FIN. */
  finish(end: ConnectionEnd): void
  /** Give back what is held. */
  release(): void
  /** Another worker has all of it: let go, and touch nothing. */
  leaveBehind(end: ConnectionEnd): void
}

interface Context {
  readonly connection: ConnectionActions
  readonly end: ConnectionEnd
  readonly drainMs: number
  readonly loginMs: number
}

/** The whole login, all round trips. */
export const LOGIN_TIMEOUT_MS = 15_000
/** How long the initiator may take to close after our last word. */
export const FINISH_TIMEOUT_MS = 5_000

const chart = setup({
  types: {
    context: {} as Context,
    events: {} as ConnectionEvent,
    input: {} as { connection: ConnectionActions; loginMs?: number },
    output: {} as ConnectionEnd,
  },
  actions: {
    abortTasks: ({ context }) => context.connection.abortTasks(context.end),
    requestLogout: ({ context }) => context.connection.requestLogout(context.drainMs),
    finish: ({ context }) => context.connection.finish(context.end),
    release: ({ context }) => context.connection.release(),
    leaveBehind: ({ context }) => context.connection.leaveBehind(context.end),
  },
  delays: {
    loginTimeout: ({ context }) => context.loginMs,
    finishTimeout: FINISH_TIMEOUT_MS,
    drainDeadline: ({ context }) => context.drainMs,
  },
})

const recordEnd = chart.assign(({ event, context }) => {
  switch (event.type) {
    case 'login.refused':
      return { end: { outcome: 'refused' as const, why: event.why } }
    case 'login.elsewhere':
      return {
        end: {
          outcome: 'moved' as const,
          why: `to the session with TSIH ${event.tsih}`,
          handBack: { tsih: event.tsih, received: event.received },
        },
      }
    case 'logout.answered':
      return { end: { outcome: 'logout' as const, why: 'logged out' } }
    case 'stream.broken':
      return { end: { outcome: 'dropped' as const, why: event.why } }
    case 'socket.closed':
      return { end: { outcome: 'closed' as const, why: event.why } }
    case 'connection.handedOver':
      return { end: { outcome: 'handedOver' as const, why: 'to another worker' } }
    case 'connection.end':
      return { end: { outcome: event.outcome, why: event.why } }
    default:
      return { end: context.end }
  }
})
const recordDrain = chart.assign(({ event, context }) =>
  event.type === 'connection.drain'
    ? { drainMs: event.deadlineMs, end: { outcome: 'drained' as const, why: event.why } }
    : { drainMs: context.drainMs },
)
const recordTimeout = chart.assign({
  end: { outcome: 'dropped', why: `login not finished after ${LOGIN_TIMEOUT_MS / 1000} s` },
})

export const connectionMachine = chart.createMachine({
  id: 'connection',
  context: ({ input }) => ({
    connection: input.connection,
    end: { outcome: 'closed', why: '' },
    drainMs: 0,
    loginMs: input.loginMs ?? LOGIN_TIMEOUT_MS,
  }),
  output: ({ context }) => context.end,
  initial: 'login',
  on: {
    'socket.closed': { target: '.ending', actions: recordEnd },
    'connection.end': { target: '.ending', actions: recordEnd },
  },
  states: {
    handedOver: { type: 'final', entry: 'leaveBehind' },
    login: {
      after: { loginTimeout: { target: 'ending', actions: recordTimeout } },
      on: {
        'login.refused': { target: 'finishing', actions: recordEnd },
        'login.completed': 'fullFeature',
        'login.elsewhere': { target: 'ending', actions: recordEnd },
        'connection.drain': { target: 'ending', actions: recordDrain },
        'connection.handedOver': { target: 'handedOver', actions: recordEnd },
      },
    },
    fullFeature: {
      initial: 'serving',
      on: {
        'logout.answered': { target: 'finishing', actions: recordEnd },
        'stream.broken': { target: 'finishing', actions: recordEnd },
      },
      states: {
        serving: {
          on: {
            'connection.drain': { target: 'draining', actions: recordDrain },
            'connection.handedOver': { target: '#connection.handedOver', actions: recordEnd },
          },
        },
        draining: { entry: 'requestLogout', after: { drainDeadline: '#connection.ending' } },
      },
    },
    finishing: {
      entry: 'finish',
      on: { 'socket.closed': 'ending', 'connection.drain': 'ending' },
      after: { finishTimeout: 'ending' },
    },
    ending: {
      entry: 'abortTasks',
      on: { 'tasks.settled': 'ended', 'socket.closed': {}, 'connection.end': {} },
    },
    ended: { type: 'final', entry: 'release' },
  },
})

/** The state of a connection that another worker had in its full feature phase. */
export function servingState(connection: ConnectionActions) {
  const context = { connection, end: { outcome: 'closed' as const, why: '' }, drainMs: 0, loginMs: LOGIN_TIMEOUT_MS }
  return connectionMachine.resolveState({ value: { fullFeature: 'serving' }, context })
}
