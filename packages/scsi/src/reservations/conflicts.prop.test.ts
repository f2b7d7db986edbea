// The conflict table: after any row of actions, every command of the command table from every nexus, against the plain model and a list of the
// commands written from the standards' own tables [SPC-4 §5.13.1, table 65; SBC-3 §4.17, table 13]. A command that is not in the list here is
// a conflict, as in the command table one that says nothing of reservations.

import fc from 'fast-check'
import t from 'tap'
import type { Command } from '../command.js'
import { commandTable } from '../command-table.js'
import { conflictsWithReservation } from '../dispatch.js'
import { ReservationModel } from './fixtures/reservation-model.js'
import { reduceReservations } from './reduce-reservations.js'
import type { ReservationAction } from './reservation-action.js'
import type { ReservationState } from './reservation-state.js'
import { NO_RESERVATIONS, reservationAccess } from './reservation-state.js'

/** Operation code, or code and service action, in hexadecimal. */
const list = (names: string): ReadonlySet<string> => new Set(names.split(' '))
/** Allowed under every type. RELEASE and PERSISTENT RESERVE OUT are judged when they are carried out [SPC-4 §5.13.3, §6.16.2]. */
const ALLOWED = list('00 03 12 17 25 4d 57 5e/0 5e/1 5e/2 5e/3 5f/0 5f/1 5f/2 5f/3 5f/4 5f/5 5f/6 5f/7 9e/10 a0 a3/a')
/** Allowed under the write exclusive types. */
const READING = list('08 1a 28 2f 34 37 5a 83/10 84/7 88 8f 90 9e/12 a3/c a3/d a8 af b7')

/** Whether a reservation bears on the command as on writing, as on reading, or not at all. */
function bearsAs(name: string, cdb: Buffer): 'write' | 'read' | 'not' {
  // START with POWER CONDITION zero; PREVENT zero.
  if (name === '1b') return (cdb[4]! & 0xf1) === 1 ? 'not' : 'write'
  if (name === '1e') return (cdb[4]! & 0x03) === 0 ? 'not' : 'write'
  if (ALLOWED.has(name)) return 'not'
  return READING.has(name) ? 'read' : 'write'
}

type Named = { name: string; opcode: number; action: number | undefined }

const commands: Named[] = Object.entries(commandTable).flatMap(([code, entry]): Named[] => {
  const opcode = Number(code)
  const hex = opcode.toString(16).padStart(2, '0')
  if (!('serviceActions' in entry)) return [{ name: hex, opcode, action: undefined }]
  const actions = Object.keys(entry.serviceActions satisfies Readonly<Record<number, Command>>).map(Number)
  return actions.map(action => ({ name: `${hex}/${action.toString(16)}`, opcode, action }))
})

const ports = ['a', 'b', 'c'].map(node => `iqn.2025-01.test:${node},i,0x000000000001`)
const key = fc.constantFrom('1'.repeat(16), '2'.repeat(16))
const port = fc.constantFrom(...ports)
const type = fc.constantFrom(1, 3, 5, 6, 7, 8)
const action: fc.Arbitrary<ReservationAction> = fc.oneof(
  fc.record({ newKey: fc.oneof(key, fc.constant('0'.repeat(16))) }).map(({ newKey }): ReservationAction => {
    return { name: 'register', key: newKey, newKey, ignoreKey: true, persist: false, allTargetPorts: false }
  }),
  fc.record({ name: fc.constant('reserve' as const), key, scope: fc.constant(0), type }),
  fc.record({ name: fc.constant('release' as const), key, scope: fc.constant(0), type }),
  fc.record({
    name: fc.constant('preempt' as const),
    key,
    victimKey: key,
    scope: fc.constant(0),
    type,
    abort: fc.boolean(),
  }),
)

t.test('every command from every nexus after any row of actions [SPC-4 §5.13.1, SBC-3 §4.17]', async t => {
  const met = new Set<string>()
  fc.assert(
    fc.property(
      fc.array(fc.record({ port, action }), { minLength: 1, maxLength: 12, size: 'max' }),
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
      (actions, bytes) => {
        const model = new ReservationModel()
        let state: ReservationState = NO_RESERVATIONS
        for (const { port, action } of actions) {
          const own = { ...action, key: model.keys.get(port) ?? action.key }
          model.act(port, own)
          state = reduceReservations(state, port, own).state
        }
        const access = reservationAccess(state)
        return commands.every(({ name, opcode, action }) => {
          const cdb = Buffer.from(bytes)
          cdb[0] = opcode
          if (action !== undefined) cdb[1] = (cdb[1]! & 0xe0) | action
          return ports.every(port => {
            const how = bearsAs(name, cdb)
            const expected = how !== 'not' && !model.allows(port, how)
            const full = access === undefined || access.full.includes(port)
            const conflict = !full && conflictsWithReservation(cdb, 0, access.othersRead)
            met.add(`${model.type} ${how} ${expected}`)
            return conflict === expected
          })
        })
      },
    ),
    { numRuns: 400 },
  )
  for (const type of [1, 3, 5, 6, 7, 8]) {
    t.ok(met.has(`${type} write true`) && met.has(`${type} write false`), `type ${type}: writing, refused and not`)
    t.equal(met.has(`${type} read true`), [3, 6, 8].includes(type), `type ${type}: reading is refused or never`)
    t.notOk(met.has(`${type} not true`), `type ${type}: what is allowed is allowed`)
  }
})
