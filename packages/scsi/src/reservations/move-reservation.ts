// REGISTER AND MOVE [SPC-4 §5.13.8, table 70]: the holder registers another nexus and makes it the holder.

import type { ReservationAction, ReservationResult } from './reservation-action.js'
import { changed, refused, withoutPorts } from './reservation-result.js'
import type { Registration, ReservationState } from './reservation-state.js'
import { MAX_REGISTRATIONS, NO_KEY, registrationOf } from './reservation-state.js'
import { isAllRegistrants } from './reservation-type.js'

/** `own`: the registration of the nexus that asks, whose key is right. */
export function moveReservation(
  state: ReservationState,
  own: Registration,
  { newKey, unregister, persist, port }: Extract<ReservationAction, { name: 'move' }>,
): ReservationResult {
  const { reservation } = state
  if (reservation === undefined) return refused(state, 'nothingToMove')
  if (isAllRegistrants(reservation.type) || reservation.holder !== own.port) return refused(state, 'conflict')
  if (newKey === NO_KEY || port === own.port) return refused(state, 'invalidParameter')
  const known = registrationOf(state, port)
  const made = { port, key: newKey, allTargetPorts: false }
  const registrations = known
    ? state.registrations.map(registration => (registration === known ? made : registration))
    : [...state.registrations, made]
  if (registrations.length > MAX_REGISTRATIONS) return refused(state, 'noResources')
  const moved = { ...state, persistent: persist, registrations, reservation: { ...reservation, holder: port } }
  return changed(unregister ? withoutPorts(moved, [own.port]) : moved)
}
