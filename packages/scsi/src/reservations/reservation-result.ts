// What the actions on persistent reservations share: results, and how a registration ends.

import type { ReservationRefusal, ReservationResult } from './reservation-action.js'
import type { ReservationState } from './reservation-state.js'
import { isAllRegistrants } from './reservation-type.js'

/** Nothing is done. */
export function refused(state: ReservationState, why: ReservationRefusal): ReservationResult {
  return { state, refused: why, attentions: [], abort: [] }
}

/** Registrations have changed, which PRGENERATION counts [SPC-4 §6.15.2]. */
export function changed(
  state: ReservationState,
  attentions: ReservationResult['attentions'] = [],
  abort: readonly string[] = [],
): ReservationResult {
  return { state: { ...state, generation: (state.generation + 1) >>> 0 }, attentions, abort }
}

/** Unregisters; a reservation ends with its holder, or with the last one of all registrants [SPC-4 §5.13.11.2, table 71]. */
export function withoutPorts(state: ReservationState, ports: readonly string[]): ReservationState {
  const registrations = state.registrations.filter(({ port }) => !ports.includes(port))
  const { reservation } = state
  const held =
    reservation !== undefined &&
    (isAllRegistrants(reservation.type)
      ? registrations.length > 0
      : registrations.some(({ port }) => port === reservation.holder))
  return { ...state, registrations, reservation: held ? reservation : undefined }
}
