// What a logical unit knows of registrations and its persistent reservation [SPC-4 §5.13.5 - 5.13.10], as a value.
//
// A nexus is known by the name of its initiator port, which outlives the session: a registration stays when the session ends
// [SPC-4 §5.13.7, SAM-5 §6.3.4]. A target has one port, so the other half of the nexus goes without saying. A key is eight opaque bytes as
// 16 hexadecimal digits in lower case, so that states can be written down and sent as they are.

import type { ReservationType } from './reservation-type.js'
import { isAllRegistrants, isRegistrantsOnly, letsOthersRead } from './reservation-type.js'

/** The key that is none: registers nothing, and identifies nobody. */
export const NO_KEY = '0000000000000000'

/** As many nexuses as may be registered with a unit; one more ends with 5/55/04. */
export const MAX_REGISTRATIONS = 128

export interface Registration {
  /** Initiator port name, see `initiatorPortName`. */
  readonly port: string
  readonly key: string
  /** Made for all ports of the target (ALL_TG_PT). */
  readonly allTargetPorts: boolean
}

export interface Reservation {
  readonly type: ReservationType
  /** The port that holds it; undefined when all registrants do. */
  readonly holder: string | undefined
}

export interface ReservationState {
  /** PRGENERATION: changes of registrations since the unit was powered on, modulo 2^32. */
  readonly generation: number
  /** It is kept through a loss of power: the last APTPL that was valid [SPC-4 §5.13.5]. */
  readonly persistent: boolean
  /** In the order of registering. */
  readonly registrations: readonly Registration[]
  readonly reservation: Reservation | undefined
}

/** The state of a unit that nobody has registered with. */
export const NO_RESERVATIONS: ReservationState = {
  generation: 0,
  persistent: false,
  registrations: [],
  reservation: undefined,
}

export function registrationOf(state: ReservationState, port: string): Registration | undefined {
  return state.registrations.find(registration => registration.port === port)
}

/** Whether the nexus is a holder of the reservation [SPC-4 §5.13.10]. */
export function holds(state: ReservationState, port: string): boolean {
  const { reservation } = state
  if (reservation === undefined) return false
  return isAllRegistrants(reservation.type) ? registrationOf(state, port) !== undefined : reservation.holder === port
}

/** What a reservation leaves to whom. */
export interface ReservationAccess {
  /** Ports with full access. */
  readonly full: readonly string[]
  /** Whether all others may read. */
  readonly othersRead: boolean
}

/** The access under the reservation [SPC-4 §5.13.1, table 65]; undefined when there is none, and everybody has full access. */
export function reservationAccess({ reservation, registrations }: ReservationState): ReservationAccess | undefined {
  if (reservation === undefined) return undefined
  const { type, holder } = reservation
  const everyone = isAllRegistrants(type) || isRegistrantsOnly(type)
  const full = everyone || holder === undefined ? registrations.map(({ port }) => port) : [holder]
  return { full, othersRead: letsOthersRead(type) }
}

/**
 * What RESERVE and RELEASE of SPC-2 come to [SPC-4 §5.13.3, SPC-2 §5.5.1]: `plain` is as if there were no registrations; `ignored` is GOOD
 * without effect for who has full access; everybody else is in conflict as soon as anybody is registered.
 */
export function compatibleReserve(state: ReservationState, port: string): 'plain' | 'ignored' | 'conflict' {
  if (state.registrations.length === 0) return 'plain'
  return reservationAccess(state)?.full.includes(port) === true ? 'ignored' : 'conflict'
}
