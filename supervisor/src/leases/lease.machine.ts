/**
 * The life of a lease:
 *
 *                      login                        ttl over,
 *   provisioning ──▶ suspended ⇄ attached ──┐       removal
 *        │               │   last session ends      │
 *        └───────────────┴──────────────────┴──▶ evicting ──▶ gone
 *
 * Thousands of leases are suspended, so none of them has a live actor: a lease is kept as its state and two numbers, and `nextOf` asks the machine what
 * comes of an event. What has to be done then comes back as names of effects; who keeps the lease does it, and takes the new state
 * over when that is written down.
 */
import { assign, setup, transition } from 'xstate'

export type LeaseEvent =
  | { type: 'volumes.made' }
  | { type: 'provisioning.failed' }
  | { type: 'session.opened' }
  | { type: 'session.ended' }
  | { type: 'ttl.near' }
  | { type: 'ttl.over' }
  | { type: 'removal.requested' }
  | { type: 'volumes.removed' }

/** `beginTtl`: its time runs from now on. `evict`: end its sessions, remove its volumes, then its record. */
export type LeaseEffect = 'beginTtl' | 'stopTtl' | 'closeVolumes' | 'warn' | 'evict' | 'forget'

export interface LeaseContext {
  readonly sessions: number
  /** Its owner has been warned since it was last used. */
  readonly warned: boolean
}

const noted = () => {}

export const leaseMachine = setup({
  types: { context: {} as LeaseContext, events: {} as LeaseEvent, input: {} as Partial<LeaseContext> },
  actions: {
    beginTtl: noted,
    stopTtl: noted,
    closeVolumes: noted,
    warn: noted,
    evict: noted,
    forget: noted,
    countIn: assign({ sessions: ({ context }) => context.sessions + 1 }),
    countOut: assign({ sessions: ({ context }) => Math.max(0, context.sessions - 1) }),
    noteWarning: assign({ warned: true }),
    forgetWarning: assign({ warned: false }),
  },
  guards: {
    isLast: ({ context }) => context.sessions <= 1,
    isNotWarned: ({ context }) => !context.warned,
  },
}).createMachine({
  id: 'lease',
  initial: 'provisioning',
  context: { sessions: 0, warned: false },
  states: {
    provisioning: {
      on: {
        'volumes.made': { target: 'suspended', actions: 'beginTtl' },
        'provisioning.failed': 'evicting',
      },
    },
    suspended: {
      on: {
        'session.opened': { target: 'attached', actions: ['countIn', 'forgetWarning', 'stopTtl'] },
        'ttl.near': { guard: 'isNotWarned', actions: ['noteWarning', 'warn'] },
        'ttl.over': 'evicting',
        'removal.requested': 'evicting',
      },
    },
    attached: {
      on: {
        'session.opened': { actions: 'countIn' },
        'session.ended': [
          { guard: 'isLast', target: 'suspended', actions: ['countOut', 'closeVolumes', 'beginTtl'] },
          { actions: 'countOut' },
        ],
        'removal.requested': { target: 'evicting', actions: 'stopTtl' },
      },
    },
    evicting: {
      entry: 'evict',
      on: {
        'session.ended': { actions: 'countOut' },
        'volumes.removed': 'gone',
      },
    },
    gone: { entry: 'forget', type: 'final' },
  },
})

export type LeaseStage = 'provisioning' | 'suspended' | 'attached' | 'evicting' | 'gone'

/** Where a lease is in its life: all that is kept of it. */
export interface LeaseLife extends LeaseContext {
  readonly stage: LeaseStage
}

const EFFECTS: ReadonlySet<string> = new Set(['beginTtl', 'stopTtl', 'closeVolumes', 'warn', 'evict', 'forget'])

/** The beginning of every life. */
export const NEW_LIFE: LeaseLife = { stage: 'provisioning', sessions: 0, warned: false }

/** What comes of an event, and what is to be done; undefined when it changes nothing there. */
export function nextOf(
  { stage, ...context }: LeaseLife,
  event: LeaseEvent,
): { readonly life: LeaseLife; readonly effects: readonly LeaseEffect[] } | undefined {
  const before = leaseMachine.resolveState({ value: stage, context })
  if (!before.can(event)) return undefined
  const [after, actions] = transition(leaseMachine, before, event)
  const effects = actions.map(({ type }) => type).filter((type): type is LeaseEffect => EFFECTS.has(type))
  return { life: { stage: after.value as LeaseStage, ...after.context }, effects }
}
