/**
 * The life of the server:
 *
 *   starting ──▶ serving ──▶ draining ──▶ closing ──▶ stopped     exit code 0
 *      └───────────┴────────────┴────────────┴──────▶ failed      exit code 1
 *
 * What a state does is given from outside (`provide`); here are only the order and the limits. A second request to stop
 * changes nothing: hurrying would lose what sessions have in flight.
 */
import { assign, fromPromise, setup } from 'xstate'

export type SupervisorEvent =
  | { type: 'stop.requested'; why: string }
  | { type: 'reload.requested' }
  | { type: 'part.failed'; why: string }

export interface SupervisorContext {
  /** Why the server ends, when it does not end well. */
  failure: string | undefined
  /** A request to stop came before the start was over. */
  stopEarly: boolean
}

const notProvided = fromPromise<void>(() =>
  Promise.reject(new Error('this actor is provided by whoever runs the machine')),
)

export const supervisorMachine = setup({
  types: { context: {} as SupervisorContext, events: {} as SupervisorEvent },
  actors: { startParts: notProvided, drainSessions: notProvided, closeParts: notProvided },
  actions: {
    announce: () => {},
    stopAccepting: () => {},
    cutSessions: () => {},
    reloadCatalog: () => {},
    logStop: () => {},
    logFailure: () => {},
    noteFailure: assign({
      failure: ({ event }) => ('why' in event ? event.why : 'error' in event ? reasonOf(event.error) : 'unknown'),
    }),
    noteCloseLimit: assign({ failure: 'the storage engine did not close in time' }),
    noteStop: assign({ stopEarly: true }),
  },
  guards: { stopEarly: ({ context }) => context.stopEarly },
  delays: {
    /** What sessions get to end by themselves, and a little more for the answer to arrive. */
    drainLimit: 12_000,
    cutLimit: 2_000,
    closeLimit: 30_000,
  },
}).createMachine({
  id: 'supervisor',
  initial: 'starting',
  context: { failure: undefined, stopEarly: false },
  states: {
    starting: {
      invoke: {
        src: 'startParts',
        onDone: [{ guard: 'stopEarly', target: 'draining' }, { target: 'serving' }],
        onError: { target: 'failed', actions: 'noteFailure' },
      },
      on: {
        'stop.requested': { actions: 'noteStop' },
        'part.failed': { target: 'failed', actions: 'noteFailure' },
      },
    },
    serving: {
      entry: 'announce',
      on: {
        'stop.requested': { target: 'draining', actions: 'logStop' },
        'reload.requested': { actions: 'reloadCatalog' },
        'part.failed': { target: 'failed', actions: 'noteFailure' },
      },
    },
    draining: {
      entry: 'stopAccepting',
      invoke: { src: 'drainSessions', onDone: 'closing', onError: { target: 'failed', actions: 'noteFailure' } },
      initial: 'waiting',
      states: {
        waiting: { after: { drainLimit: { target: 'cut', actions: 'cutSessions' } } },
        cut: { after: { cutLimit: '#supervisor.closing' } },
      },
      on: { 'part.failed': { target: 'failed', actions: 'noteFailure' } },
    },
    closing: {
      invoke: { src: 'closeParts', onDone: 'stopped', onError: { target: 'failed', actions: 'noteFailure' } },
      after: { closeLimit: { target: 'failed', actions: 'noteCloseLimit' } },
      on: { 'part.failed': { target: 'failed', actions: 'noteFailure' } },
    },
    stopped: { type: 'final' },
    failed: { entry: 'logFailure', type: 'final' },
  },
})

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
