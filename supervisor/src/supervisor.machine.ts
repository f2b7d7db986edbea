/**
 * The life of the server:
 *
 *   starting ──▶ serving ──▶ draining ──▶ closing ──▶ stopped     exit code 0
 *      │           │            │            └──────▶ failed      exit code 1, from every state
 *      │           └▶ preparing ──▶ handingOver ──▶ leaving ──▶ handedOver     exit code 0
 *      │                 └──────────────┴▶ serving
 *      └▶ stopped
 *
 * An upgrade in place: while it is *preparing*, another process boots and this one serves; while it is *handing over*, nobody serves; whatever goes wrong by
 * then, this process serves on. A process that is started by an upgrade is *starting* until it serves.
 *
 * What a state does is given from outside (`provide`); here are only the order and the limits. A second request to stop
 * changes nothing: hurrying would lose what sessions have in flight. One that comes while sessions are handed over is carried out by whoever has them then.
 */
import { assign, fromPromise, setup } from 'xstate'

export type SupervisorEvent =
  | { type: 'stop.requested'; why: string }
  | { type: 'reload.requested' }
  | { type: 'part.failed'; why: string }
  /** `refuse` is told when it is not the time for it. */
  | { type: 'upgrade.requested'; refuse: (why: UpgradeRefusal) => void }

/** Why an upgrade is not begun. */
export type UpgradeRefusal = 'starting' | 'upgrading' | 'stopping'

export interface SupervisorContext {
  /** Why the server ends, when it does not end well. */
  failure: string | undefined
  /** A request to stop came when it could not be carried out: before the start was over, or while sessions are handed over. */
  stopEarly: boolean
}

/** Rejection of `handOver`: this process cannot serve on either. */
export class NobodyServes extends Error {}

const notProvided = fromPromise<void>(() =>
  Promise.reject(new Error('this actor is provided by whoever runs the machine')),
)

export const supervisorMachine = setup({
  types: { context: {} as SupervisorContext, events: {} as SupervisorEvent },
  actors: {
    startParts: notProvided,
    drainSessions: notProvided,
    closeParts: notProvided,
    prepareHeir: notProvided,
    handOver: notProvided,
    leave: notProvided,
  },
  actions: {
    announce: () => {},
    stopAccepting: () => {},
    cutSessions: () => {},
    reloadCatalog: () => {},
    logStop: () => {},
    logFailure: () => {},
    upgradeFailed: (_, _why: { error: unknown }) => {},
    passStopOn: () => {},
    refuseUpgrade: (_, _why: UpgradeRefusal) => {},
    noteFailure: assign({
      failure: ({ event }) => ('why' in event ? event.why : 'error' in event ? reasonOf(event.error) : 'unknown'),
    }),
    noteCloseLimit: assign({ failure: 'the storage engine did not close in time' }),
    noteStop: assign({ stopEarly: true }),
  },
  guards: {
    stopEarly: ({ context }) => context.stopEarly,
    mayLeave: () => false,
    nobodyServes: ({ event }) => 'error' in event && event.error instanceof NobodyServes,
  },
  delays: {
    /** What sessions get to end by themselves, and a little more for the answer to arrive. */
    drainLimit: 12_000,
    cutLimit: 2_000,
    closeLimit: 30_000,
    /** For the answer to whoever asked for the upgrade. */
    leaveLimit: 5_000,
  },
}).createMachine({
  id: 'supervisor',
  initial: 'starting',
  context: { failure: undefined, stopEarly: false },
  states: {
    starting: {
      invoke: {
        src: 'startParts',
        onDone: [
          { guard: 'stopEarly', target: 'draining' },
          { target: 'serving', actions: 'announce' },
        ],
        onError: { target: 'failed', actions: 'noteFailure' },
      },
      on: {
        // A process that an upgrade has started and that has nothing yet need not wait for anything.
        'stop.requested': [{ guard: 'mayLeave', target: 'stopped' }, { actions: 'noteStop' }],
        'part.failed': { target: 'failed', actions: 'noteFailure' },
        'upgrade.requested': { actions: { type: 'refuseUpgrade', params: 'starting' } },
      },
    },
    serving: {
      on: {
        'stop.requested': { target: 'draining', actions: 'logStop' },
        'reload.requested': { actions: 'reloadCatalog' },
        'part.failed': { target: 'failed', actions: 'noteFailure' },
        'upgrade.requested': 'preparing',
      },
    },
    preparing: {
      invoke: {
        src: 'prepareHeir',
        onDone: 'handingOver',
        onError: { target: 'serving', actions: { type: 'upgradeFailed', params: ({ event }) => event } },
      },
      on: {
        'stop.requested': {
          target: 'draining',
          actions: ['logStop', { type: 'upgradeFailed', params: { error: new Error('the server is told to stop') } }],
        },
        'reload.requested': { actions: 'reloadCatalog' },
        'part.failed': { target: 'failed', actions: 'noteFailure' },
        'upgrade.requested': { actions: { type: 'refuseUpgrade', params: 'upgrading' } },
      },
    },
    handingOver: {
      invoke: {
        src: 'handOver',
        onDone: [{ guard: 'stopEarly', target: 'leaving', actions: 'passStopOn' }, { target: 'leaving' }],
        onError: [
          { guard: 'nobodyServes', target: 'failed', actions: 'noteFailure' },
          {
            guard: 'stopEarly',
            target: 'draining',
            actions: { type: 'upgradeFailed', params: ({ event }) => event },
          },
          { target: 'serving', actions: { type: 'upgradeFailed', params: ({ event }) => event } },
        ],
      },
      on: {
        'stop.requested': { actions: 'noteStop' },
        'part.failed': { target: 'failed', actions: 'noteFailure' },
        'upgrade.requested': { actions: { type: 'refuseUpgrade', params: 'upgrading' } },
      },
    },
    leaving: {
      invoke: { src: 'leave', onDone: 'handedOver', onError: 'handedOver' },
      after: { leaveLimit: 'handedOver' },
      on: { 'stop.requested': { actions: 'passStopOn' } },
    },
    draining: {
      entry: 'stopAccepting',
      invoke: { src: 'drainSessions', onDone: 'closing', onError: { target: 'failed', actions: 'noteFailure' } },
      initial: 'waiting',
      states: {
        waiting: { after: { drainLimit: { target: 'cut', actions: 'cutSessions' } } },
        cut: { after: { cutLimit: '#supervisor.closing' } },
      },
      on: {
        'part.failed': { target: 'failed', actions: 'noteFailure' },
        'upgrade.requested': { actions: { type: 'refuseUpgrade', params: 'stopping' } },
      },
    },
    closing: {
      invoke: { src: 'closeParts', onDone: 'stopped', onError: { target: 'failed', actions: 'noteFailure' } },
      after: { closeLimit: { target: 'failed', actions: 'noteCloseLimit' } },
      on: {
        'part.failed': { target: 'failed', actions: 'noteFailure' },
        'upgrade.requested': { actions: { type: 'refuseUpgrade', params: 'stopping' } },
      },
    },
    stopped: { type: 'final' },
    handedOver: { type: 'final' },
    failed: { entry: 'logFailure', type: 'final' },
  },
})

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
