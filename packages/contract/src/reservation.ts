/**
 * Persistent reservations across threads: a session worker asks for a change by `reservation.change`, and for what there is by `reservation.read`;
 * the storage engine does it, sets the words of the control block, and has every worker do its part before it answers.
 *
 * The fields of an action are those of `ReservationAction` in packages/scsi: keys are 16 hexadecimal digits, ports names of initiator ports.
 */
import type { ReservationAction, ReservationRefusal, ReservationState } from '@scsipub/scsi'
import type { JTDDataType } from 'ajv/dist/core.js'

const key = { type: 'string' } as const
const flag = { type: 'boolean' } as const
const code = { type: 'uint8' } as const

export const reservationActionSchema = {
  discriminator: 'name',
  mapping: {
    register: {
      properties: { key, newKey: key, ignoreKey: flag, persist: flag, allTargetPorts: flag },
      optionalProperties: { others: { elements: { type: 'string' } } },
    },
    reserve: { properties: { key, scope: code, type: code } },
    release: { properties: { key, scope: code, type: code } },
    clear: { properties: { key } },
    preempt: { properties: { key, victimKey: key, scope: code, type: code, abort: flag } },
    move: { properties: { key, newKey: key, unregister: flag, persist: flag, port: { type: 'string' } } },
  },
} as const

/** The compiler's proof that schema and action are the same. */
type Same = JTDDataType<typeof reservationActionSchema> extends ReservationAction ? ReservationAction : never
export type ReservationChange = Same

/** What comes of a change. `refused`: nothing was done. */
export interface ReservationChanged {
  readonly refused?: ReservationRefusal
}

/** `canPersist`: whether the state can outlive a loss of power. */
export interface ReservationRead {
  readonly state: ReservationState
  readonly canPersist: boolean
}

/**
 * What the engine tells every worker after a change: the sessions on the volume that a port has are to be told of `condition`, and those of `abort`
 * to have their tasks ended.
 */
export const reservationNoticeFields = {
  volumeId: { type: 'string' },
  attentions: {
    elements: {
      properties: {
        port: { type: 'string' },
        condition: { enum: ['reservationsPreempted', 'reservationsReleased', 'registrationsPreempted'] },
      },
    },
  },
  abort: { elements: { type: 'string' } },
} as const
