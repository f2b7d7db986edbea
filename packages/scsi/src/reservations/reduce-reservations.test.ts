// What clusters do with persistent reservations, by hand: the cases of the standard that are easily done wrong [SPC-4 §5.13].

import t from 'tap'
import { reduceReservations } from './reduce-reservations.js'
import type { ReservationAction, ReservationResult } from './reservation-action.js'
import type { ReservationState } from './reservation-state.js'
import { MAX_REGISTRATIONS, NO_KEY, NO_RESERVATIONS } from './reservation-state.js'

const A = 'iqn.2025-01.test:a,i,0x000000000001'
const OLD_A = 'iqn.2025-01.test:a,i,0x000000000000'
const B = 'iqn.2025-01.test:b,i,0x000000000001'
const KEY_A = '00000000000000aa'
const KEY_B = '00000000000000bb'

const registered = { key: NO_KEY, ignoreKey: true, persist: false, allTargetPorts: false, name: 'register' } as const
const register = (newKey: string): ReservationAction => ({ ...registered, newKey })
const typed = (name: 'reserve' | 'release', key: string, type: number): ReservationAction => ({
  name,
  key,
  scope: 0,
  type,
})
const preempt = (key: string, victimKey: string, type = 5): ReservationAction => ({
  name: 'preempt',
  key,
  victimKey,
  scope: 0,
  type,
  abort: true,
})

function after(...steps: readonly (readonly [port: string, action: ReservationAction])[]): ReservationResult {
  let result: ReservationResult = { state: NO_RESERVATIONS, attentions: [], abort: [] }
  for (const [port, action] of steps) result = reduceReservations(result.state, port, action)
  return result
}

function keysOf({ registrations }: ReservationState): string[] {
  return registrations.map(({ port, key }) => `${port} ${key}`)
}

const both = [
  [A, register(KEY_A)],
  [B, register(KEY_B)],
  [A, typed('reserve', KEY_A, 5)],
] as const

t.test(
  'fencing a node leaves the reservation where it is, ends its tasks and tells it [SPC-4 §5.13.11.2.6]',
  async t => {
    const { state, attentions, abort } = after(...both, [A, preempt(KEY_A, KEY_B)])
    t.same(keysOf(state), [`${A} ${KEY_A}`])
    t.same(state.reservation, { type: 5, holder: A })
    t.same(attentions, [{ port: B, condition: 'registrationsPreempted' }])
    t.same(abort, [B])
  },
)

t.test('fencing the holder takes the reservation over [SPC-4 §5.13.11.2.4.3]', async t => {
  const { state } = after(...both, [B, preempt(KEY_B, KEY_A)])
  t.same(state.reservation, { type: 5, holder: B })
  t.same(keysOf(state), [`${B} ${KEY_B}`])
})

t.test(
  'one’s own key, left by an earlier ISID: with it as the holder the sender stays [SPC-4 §5.13.11.2.4.3]',
  async t => {
    const holding = after([OLD_A, register(KEY_A)], [OLD_A, typed('reserve', KEY_A, 5)], [A, register(KEY_A)])
    const { state } = reduceReservations(holding.state, A, preempt(KEY_A, KEY_A))
    t.same(keysOf(state), [`${A} ${KEY_A}`])
    t.same(state.reservation, { type: 5, holder: A })
  },
)

t.test('one’s own key without a reservation: the sender goes as well [SPC-4 §5.13.11.2.5]', async t => {
  const { state, attentions } = after([OLD_A, register(KEY_A)], [A, register(KEY_A)], [A, preempt(KEY_A, KEY_A)])
  t.same(keysOf(state), [])
  t.same(attentions, [{ port: OLD_A, condition: 'registrationsPreempted' }])
})

t.test(
  'the holder that unregisters releases, and with registrants only the others are told [SPC-4 §5.13.11.2.3]',
  async t => {
    const { state, attentions } = after(...both, [A, register(NO_KEY)])
    t.equal(state.reservation, undefined)
    t.same(attentions, [{ port: B, condition: 'reservationsReleased' }])
    const plain = after(
      [A, register(KEY_A)],
      [B, register(KEY_B)],
      [A, typed('reserve', KEY_A, 1)],
      [A, register(NO_KEY)],
    )
    t.equal(plain.state.reservation, undefined)
    t.same(plain.attentions, [], 'with plain write exclusive nobody is')
  },
)

t.test(
  'a release of another type is 5/26/04, one by another registrant is GOOD and has no effect [SPC-4 §5.13.11.2.2]',
  async t => {
    t.equal(after(...both, [A, typed('release', KEY_A, 6)]).refused, 'invalidRelease')
    const other = after(...both, [B, typed('release', KEY_B, 5)])
    t.equal(other.refused, undefined)
    t.same(other.state.reservation, { type: 5, holder: A })
  },
)

t.test('a reservation of all registrants ends with the last of them [SPC-4 §5.13.11.2, table 71]', async t => {
  const shared = after(
    [A, register(KEY_A)],
    [B, register(KEY_B)],
    [A, typed('reserve', KEY_A, 7)],
    [A, register(NO_KEY)],
  )
  t.same(shared.state.reservation, { type: 7, holder: undefined })
  t.equal(reduceReservations(shared.state, B, register(NO_KEY)).state.reservation, undefined)
})

t.test('one registration too many is refused, and none of its list is made [SPC-4 §6.16.3]', async t => {
  const others = Array.from({ length: MAX_REGISTRATIONS }, (_, index) => `iqn.2025-01.test:n${index},i,0x000000000001`)
  const crowd: ReservationAction = { ...registered, ignoreKey: false, newKey: KEY_A, others: others.slice(1) }
  const full = after([A, crowd])
  t.equal(full.state.registrations.length, MAX_REGISTRATIONS)
  t.equal(reduceReservations(full.state, B, register(KEY_B)).refused, 'noResources')
  t.equal(reduceReservations(full.state, A, register(KEY_B)).refused, undefined, 'a new key needs no room')
  const tooMany = after([A, { ...crowd, others }])
  t.equal(tooMany.refused, 'noResources')
  t.same(tooMany.state, NO_RESERVATIONS)
})

t.test('PRGENERATION wraps, and counts neither RESERVE nor RELEASE [SPC-4 §6.15.2]', async t => {
  t.equal(after(...both, [A, typed('release', KEY_A, 5)]).state.generation, 2)
  const last = { ...NO_RESERVATIONS, generation: 0xffff_ffff }
  t.equal(reduceReservations(last, A, register(KEY_A)).state.generation, 0)
})
