/**
 * The life of an iSCSI session as a machine: one actor a session. Single PDUs of the full feature phase do not pass through it;
 * it hears of what changes the session's state.
 *
 *   login ──completed──▶ fullFeature.serving ──drain──▶ fullFeature.draining
 *     │ refused                 │ logged out, stream broken     │
 *     └────────▶ finishing ◀────┴───────────────────────────────┘
 *                    │ closed, or not closed in time
 *                    ▼
 *   any state ──▶ ending ──tasks settled──▶ ended        (socket closed, told to end, login too slow, drain deadline)
 *
 * `finishing` has sent its last word and waits for the initiator to close; `ending` waits until no I/O of the session is
 * under way any more, so that whoever comes next finds the volume quiet. [7143 §7.2, §8.2]
 */

import type { SessionEnd } from '@scsipub/contract'
import { setup } from 'xstate'

export type Outcome = SessionEnd['outcome']

export type SessionEvent =
  | { type: 'login.completed' }
  | { type: 'login.refused'; why: string }
  | { type: 'logout.answered' }
  | { type: 'stream.broken'; why: string }
  | { type: 'socket.closed'; why: string }
  | { type: 'session.end'; outcome: Outcome; why: string }
  | { type: 'session.drain'; deadlineMs: number; why: string }
  | { type: 'tasks.settled' }

/** What the machine makes its session do. */
export interface SessionActions {
  /** The session's state has an end: stop reading, abort the tasks, and tell `tasks.settled` when none runs any more. */
  abortTasks(): void
  /** Ask the initiator to log out. [7143 §11.9.1, event 1] */
  requestLogout(deadlineMs: number): void
  /** Send what is built and a FIN. */
  finish(): void
  /** Give volumes and the descriptor back. */
  release(): void
}

interface Context {
  readonly session: SessionActions
  readonly end: SessionEnd
  readonly drainMs: number
}

/** The whole login, all round trips. */
export const LOGIN_TIMEOUT_MS = 15_000
/** How long the initiator may take to close after our last word. */
export const FINISH_TIMEOUT_MS = 5_000

const chart = setup({
  types: {
    context: {} as Context,
    events: {} as SessionEvent,
    input: {} as { session: SessionActions },
    output: {} as SessionEnd,
  },
  actions: {
    abortTasks: ({ context }) => context.session.abortTasks(),
    requestLogout: ({ context }) => context.session.requestLogout(context.drainMs),
    finish: ({ context }) => context.session.finish(),
    release: ({ context }) => context.session.release(),
  },
  delays: {
    loginTimeout: LOGIN_TIMEOUT_MS,
    finishTimeout: FINISH_TIMEOUT_MS,
    drainDeadline: ({ context }) => context.drainMs,
  },
})

const recordEnd = chart.assign(({ event, context }) => {
  switch (event.type) {
    case 'login.refused':
      return { end: { outcome: 'refused' as const, why: event.why } }
    case 'logout.answered':
      return { end: { outcome: 'logout' as const, why: 'logged out' } }
    case 'stream.broken':
      return { end: { outcome: 'dropped' as const, why: event.why } }
    case 'socket.closed':
      return { end: { outcome: 'closed' as const, why: event.why } }
    case 'session.end':
      return { end: { outcome: event.outcome, why: event.why } }
    default:
      return { end: context.end }
  }
})
const recordDrain = chart.assign(({ event, context }) =>
  event.type === 'session.drain'
    ? { drainMs: event.deadlineMs, end: { outcome: 'drained' as const, why: event.why } }
    : { drainMs: context.drainMs },
)
const recordTimeout = chart.assign({
  end: { outcome: 'dropped', why: `login not finished after ${LOGIN_TIMEOUT_MS / 1000} s` },
})

export const sessionMachine = chart.createMachine({
  id: 'session',
  context: ({ input }) => ({ session: input.session, end: { outcome: 'closed', why: '' }, drainMs: 0 }),
  output: ({ context }) => context.end,
  initial: 'login',
  on: {
    'socket.closed': { target: '.ending', actions: recordEnd },
    'session.end': { target: '.ending', actions: recordEnd },
  },
  states: {
    login: {
      after: { loginTimeout: { target: 'ending', actions: recordTimeout } },
      on: {
        'login.refused': { target: 'finishing', actions: recordEnd },
        'login.completed': 'fullFeature',
        'session.drain': { target: 'ending', actions: recordDrain },
      },
    },
    fullFeature: {
      initial: 'serving',
      on: {
        'logout.answered': { target: 'finishing', actions: recordEnd },
        'stream.broken': { target: 'finishing', actions: recordEnd },
      },
      states: {
        serving: { on: { 'session.drain': { target: 'draining', actions: recordDrain } } },
        draining: { entry: 'requestLogout', after: { drainDeadline: '#session.ending' } },
      },
    },
    finishing: {
      entry: 'finish',
      on: { 'socket.closed': 'ending', 'session.drain': 'ending' },
      after: { finishTimeout: 'ending' },
    },
    ending: {
      entry: 'abortTasks',
      on: { 'tasks.settled': 'ended', 'socket.closed': {}, 'session.end': {} },
    },
    ended: { type: 'final', entry: 'release' },
  },
})
