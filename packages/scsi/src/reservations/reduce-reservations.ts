// Persistent reservations as a pure function: state, nexus and action in; state and effects out [SPC-4 §5.13.7 - 5.13.11].
//
// Nothing is done by halves: an action that is refused leaves the state as it was. REGISTER AND MOVE is in move-reservation.ts.

import { moveReservation } from './move-reservation.js'
import type { ReservationAction, ReservationResult } from './reservation-action.js'
import { changed, refused, withoutPorts } from './reservation-result.js'
import type { Registration, ReservationState } from './reservation-state.js'
import { holds, MAX_REGISTRATIONS, NO_KEY, registrationOf } from './reservation-state.js'
import { isAllRegistrants, isRegistrantsOnly, isReservationType, LU_SCOPE } from './reservation-type.js'

type Action<Name> = Extract<ReservationAction, { name: Name }>

/** Does the action of the nexus whose initiator port is `port`. */
export function reduceReservations(
  state: ReservationState,
  port: string,
  action: ReservationAction,
): ReservationResult {
  const own = registrationOf(state, port)
  if (action.name === 'register') return register(state, port, own, action)
  // Only REGISTER is for nexuses that are not registered; all others prove by their key who they are [SPC-4 §5.13.7, §6.16.3].
  if (own === undefined || own.key !== action.key) return refused(state, 'conflict')
  switch (action.name) {
    case 'reserve':
      return reserve(state, port, action)
    case 'release':
      return release(state, port, action)
    case 'clear':
      return clear(state, port)
    case 'preempt':
      return preempt(state, own, action)
    case 'move':
      return moveReservation(state, own, action)
  }
}

/** [SPC-4 §5.13.7, tables 67 and 68] */
function register(
  state: ReservationState,
  port: string,
  own: Registration | undefined,
  { key, newKey, ignoreKey, persist, allTargetPorts, others }: Action<'register'>,
): ReservationResult {
  if (!ignoreKey && key !== (own?.key ?? NO_KEY)) return refused(state, 'conflict')
  if (own === undefined && newKey === NO_KEY) return { state, attentions: [], abort: [] }
  if (others !== undefined && (own !== undefined || others.some(other => registrationOf(state, other) !== undefined)))
    return refused(state, 'invalidParameter')
  if (newKey === NO_KEY) {
    const released = holds(state, port) && isRegistrantsOnly(state.reservation!.type)
    const after = withoutPorts({ ...state, persistent: persist }, [port])
    return changed(after, released ? told(after, port, 'reservationsReleased') : [])
  }
  const ports = [...new Set([port, ...(others ?? [])])]
  const made = ports.map((name): Registration => ({ port: name, key: newKey, allTargetPorts }))
  const registrations = own
    ? state.registrations.map(registration => (registration === own ? made[0]! : registration))
    : [...state.registrations, ...made]
  if (registrations.length > MAX_REGISTRATIONS) return refused(state, 'noResources')
  return changed({ ...state, persistent: persist, registrations })
}

/** [SPC-4 §5.13.9] */
function reserve(state: ReservationState, port: string, { scope, type }: Action<'reserve'>): ReservationResult {
  if (scope !== LU_SCOPE || !isReservationType(type)) return refused(state, 'invalidScopeOrType')
  if (state.reservation === undefined) {
    const reservation = { type, holder: isAllRegistrants(type) ? undefined : port }
    return { state: { ...state, reservation }, attentions: [], abort: [] }
  }
  // The holder may ask again for what it has.
  if (!holds(state, port) || state.reservation.type !== type) return refused(state, 'conflict')
  return { state, attentions: [], abort: [] }
}

/** [SPC-4 §5.13.11.2.2] */
function release(state: ReservationState, port: string, { scope, type }: Action<'release'>): ReservationResult {
  const { reservation } = state
  if (reservation === undefined || !holds(state, port)) return { state, attentions: [], abort: [] }
  if (scope !== LU_SCOPE || type !== reservation.type) return refused(state, 'invalidRelease')
  const shared = isAllRegistrants(reservation.type) || isRegistrantsOnly(reservation.type)
  return {
    state: { ...state, reservation: undefined },
    attentions: shared ? told(state, port, 'reservationsReleased') : [],
    abort: [],
  }
}

/** [SPC-4 §5.13.11.2.7] */
function clear(state: ReservationState, port: string): ReservationResult {
  return changed({ ...state, registrations: [], reservation: undefined }, told(state, port, 'reservationsPreempted'))
}

/** [SPC-4 §5.13.11.2.4 - 5.13.11.2.6, table 72, figure 9] */
function preempt(
  state: ReservationState,
  own: Registration,
  { victimKey, scope, type, abort }: Action<'preempt'>,
): ReservationResult {
  const { reservation, registrations } = state
  const byAll = reservation !== undefined && isAllRegistrants(reservation.type)
  if (victimKey === NO_KEY && !byAll) return refused(state, 'invalidParameter')
  const named = registrations.filter(({ key }) => victimKey === NO_KEY || key === victimKey)
  if (named.length === 0) return refused(state, 'conflict')
  const takesOver = byAll ? victimKey === NO_KEY : named.some(({ port }) => port === reservation?.holder)
  const victims = named.filter(registration => registration !== own).map(({ port }) => port)
  const attentions = victims.map(port => ({ port, condition: 'registrationsPreempted' as const }))
  const aborted = abort ? victims : []
  if (!takesOver) {
    // Without a reservation to take, the sender's own registration goes as well, if its key is the one.
    const gone = named.map(({ port }) => port)
    return changed(withoutPorts(state, gone), attentions, aborted)
  }
  if (scope !== LU_SCOPE || !isReservationType(type)) return refused(state, 'invalidScopeOrType')
  const rest = registrations.filter(({ port }) => !victims.includes(port))
  const after = {
    ...state,
    registrations: rest,
    reservation: { type, holder: isAllRegistrants(type) ? undefined : own.port },
  }
  const retyped = reservation!.type === type ? [] : told(after, own.port, 'reservationsReleased')
  return changed(after, [...attentions, ...retyped], aborted)
}

/** A unit attention for everybody registered but one. */
function told(
  { registrations }: ReservationState,
  except: string,
  condition: 'reservationsReleased' | 'reservationsPreempted',
): ReservationResult['attentions'] {
  return registrations.filter(({ port }) => port !== except).map(({ port }) => ({ port, condition }))
}
