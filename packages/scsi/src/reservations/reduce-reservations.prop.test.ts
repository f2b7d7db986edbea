// The reducer against the plain model: any row of actions by any nexuses, compared after each one [SPC-4 §5.13].

import fc from 'fast-check'
import t from 'tap'
import { ReservationModel } from './fixtures/reservation-model.js'
import { reduceReservations } from './reduce-reservations.js'
import type { ReservationAction } from './reservation-action.js'
import type { ReservationState } from './reservation-state.js'
import { compatibleReserve, holds, NO_RESERVATIONS, reservationAccess } from './reservation-state.js'

const ports = ['a', 'b', 'c', 'd'].map(node => `iqn.2025-01.test:${node},i,0x000000000001`)
const keys = ['0', '1', '2', '3'].map(digit => digit.repeat(16))
const port = fc.constantFrom(...ports)
const key = fc.constantFrom(...keys)
const type = fc.constantFrom(1, 3, 5, 6, 7, 8, 1, 3, 5, 6, 7, 8, 0, 4)
const scope = fc.constantFrom(0, 0, 0, 0, 0, 0, 1)
const others = fc.option(fc.uniqueArray(port, { maxLength: 3 }), { nil: undefined, freq: 4 })

type Wish = { port: string; rightKey: boolean; action: ReservationAction }

const registering = fc
  .record({ key, newKey: key, ignoreKey: fc.boolean(), persist: fc.boolean(), allTargetPorts: fc.boolean(), others })
  .map(
    ({ others, ...rest }): ReservationAction => ({
      name: 'register',
      ...rest,
      ...(others === undefined || rest.ignoreKey ? {} : { others }),
    }),
  )
const action: fc.Arbitrary<ReservationAction> = fc.oneof(
  { weight: 3, arbitrary: registering },
  { weight: 2, arbitrary: fc.record({ name: fc.constant('reserve' as const), key, scope, type }) },
  { weight: 1, arbitrary: fc.record({ name: fc.constant('release' as const), key, scope, type }) },
  { weight: 1, arbitrary: fc.record({ name: fc.constant('clear' as const), key }) },
  {
    weight: 3,
    arbitrary: fc.record({
      name: fc.constant('preempt' as const),
      key,
      victimKey: key,
      scope,
      type,
      abort: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      name: fc.constant('move' as const),
      key,
      newKey: key,
      unregister: fc.boolean(),
      persist: fc.boolean(),
      port,
    }),
  },
)
const wish: fc.Arbitrary<Wish> = fc.record({ port, rightKey: fc.boolean(), action })

t.test('every row of actions comes to what the tables of the standard say [SPC-4 §5.13]', async t => {
  const seen = new Set<string>()
  fc.assert(
    fc.property(fc.array(wish, { minLength: 1, maxLength: 60, size: 'max' }), wishes => {
      const model = new ReservationModel()
      let state: ReservationState = NO_RESERVATIONS
      for (const wished of wishes) {
        // Most keys would be wrong, and nothing would ever happen; nor are most nexuses the holder, who alone can move.
        const port = wished.rightKey && wished.action.name === 'move' ? model.holder || wished.port : wished.port
        const action = wished.rightKey ? { ...wished.action, key: model.keys.get(port) ?? keys[0]! } : wished.action
        const expected = model.act(port, action)
        const before = state
        const result = reduceReservations(state, port, action)
        state = result.state
        seen.add(`${action.name} ${expected}`)
        if ((result.refused ?? 'good') !== expected) return false
        if (result.refused !== undefined && state !== before) return false
        if (
          !same(
            result.attentions.map(({ port, condition }) => `${port} ${condition}`),
            model.attentions,
          )
        )
          return false
        if (!same(result.abort, model.aborted)) return false
        if (!agrees(state, model)) return false
      }
      return true
    }),
    { numRuns: 4000 },
  )
  t.same(
    [...seen].sort(),
    [
      'clear conflict',
      'clear good',
      'move conflict',
      'move good',
      'move invalidParameter',
      'move nothingToMove',
      'preempt conflict',
      'preempt good',
      'preempt invalidParameter',
      'preempt invalidScopeOrType',
      'register conflict',
      'register good',
      'register invalidParameter',
      'release conflict',
      'release good',
      'release invalidRelease',
      'reserve conflict',
      'reserve good',
      'reserve invalidScopeOrType',
    ],
    'every answer to every action was met',
  )
})

function agrees(state: ReservationState, model: ReservationModel): boolean {
  const access = reservationAccess(state)
  for (const port of ports) {
    const full = access === undefined || access.full.includes(port)
    if (model.allows(port, 'write') !== full) return false
    if (model.allows(port, 'read') !== (full || access.othersRead)) return false
    if (model.isHolder(port) !== holds(state, port)) return false
    const reserve = model.keys.size === 0 ? 'plain' : model.type !== 0 && full ? 'ignored' : 'conflict'
    if (compatibleReserve(state, port) !== reserve) return false
  }
  return (
    same(
      state.registrations.map(({ port, key }) => `${port} ${key}`),
      [...model.keys].map(([port, key]) => `${port} ${key}`),
    ) &&
    (state.reservation?.type ?? 0) === model.type &&
    (state.reservation?.holder ?? '') === model.holder &&
    state.generation === model.generation &&
    state.persistent === model.persistent
  )
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return [...a].sort().join('\n') === [...b].sort().join('\n')
}
