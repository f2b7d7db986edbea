// What PERSISTENT RESERVE OUT asks for, and what comes of it, as values. How they are read off the wire is in
// persistent-reserve-out-list.ts; who does them is in reduce-reservations.ts.

import type { ReservationState } from './reservation-state.js'

/** Keys are as in `ReservationState`; ports are names of initiator ports. `scope` and `type` are as they came, maybe no valid ones. */
export type ReservationAction =
  /** REGISTER, or with `ignoreKey` REGISTER AND IGNORE EXISTING KEY; `newKey` none unregisters. `others`: of SPEC_I_PT. */
  | {
      readonly name: 'register'
      readonly key: string
      readonly newKey: string
      readonly ignoreKey: boolean
      readonly persist: boolean
      readonly allTargetPorts: boolean
      readonly others?: string[]
    }
  | { readonly name: 'reserve'; readonly key: string; readonly scope: number; readonly type: number }
  | { readonly name: 'release'; readonly key: string; readonly scope: number; readonly type: number }
  | { readonly name: 'clear'; readonly key: string }
  /** PREEMPT, or with `abort` PREEMPT AND ABORT. */
  | {
      readonly name: 'preempt'
      readonly key: string
      readonly victimKey: string
      readonly scope: number
      readonly type: number
      readonly abort: boolean
    }
  /** REGISTER AND MOVE. */
  | {
      readonly name: 'move'
      readonly key: string
      readonly newKey: string
      readonly unregister: boolean
      readonly persist: boolean
      readonly port: string
    }

/** Why an action is not done; a code of `reservationRefusals`. */
export type ReservationRefusal =
  | 'conflict'
  | 'invalidParameter'
  | 'invalidScopeOrType'
  | 'nothingToMove'
  | 'invalidRelease'
  | 'noResources'

/** Unit attentions that an action establishes; rows of the sense catalogue. */
export type ReservationAttention = 'reservationsPreempted' | 'reservationsReleased' | 'registrationsPreempted'

export interface ReservationResult {
  /** As it was, when the action is refused. */
  readonly state: ReservationState
  readonly refused?: ReservationRefusal
  /** Who is to be told of what. */
  readonly attentions: readonly { readonly port: string; readonly condition: ReservationAttention }[]
  /** Whose tasks are to be ended. */
  readonly abort: readonly string[]
}
