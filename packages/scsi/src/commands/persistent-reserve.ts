// PERSISTENT RESERVE IN and OUT [SPC-4 §6.15, §6.16] as rows of the command table. The rules stand in ../reservations; the state is the
// caller's, who is asked for it, or to change it.
//
// Left out: REPLACE LOST RESERVATION, since what is kept is never lost in silence: a unit whose reservations cannot be read is not opened.

import { bits, u16, u32 } from '@scsipub/bytes'
import { cdb } from '../cdb.js'
import type { Command, TableEntry } from '../command.js'
import type { Outcome } from '../outcome.js'
import { checkCondition, invalidFieldInCdb } from '../outcome.js'
import type { ReservationReport } from '../reservations/persistent-reserve-in-data.js'
import {
  basicList,
  keysAction,
  MAX_PERSISTENT_RESERVE_OUT_BYTES,
  moveAction,
  moveList,
  registerAction,
} from '../reservations/persistent-reserve-out-list.js'
import type { ReservationAction, ReservationRefusal } from '../reservations/reservation-action.js'
import { senseCodes } from '../sense-codes.js'
import { status } from '../status.js'
import { relativePort } from './target-port.js'

const serviceAction = bits(1, 0, 5)
const outFields = { serviceAction, scope: bits(2, 4, 4), type: bits(2, 0, 4), parameterListLength: u32(5) }
const outCdb = cdb(10, outFields)
/** Registering has no scope and no type: any are taken [SPC-4 §6.16.3, table 216]. */
const untypedOutCdb = cdb(10, outFields, ['scope', 'type'])
const inCdb = cdb(10, { serviceAction, allocationLength: u16(7) })

type Typed = { readonly scope: number; readonly type: number }
type Keys = { readonly key: string; readonly newKey: string }

/** Fetches a list of a possible length, and goes on with the action that it and the CDB name. */
function fetch(
  bytes: number,
  { least, most }: { least: number; most: number },
  action: (list: Buffer) => ReservationAction | Outcome,
): Outcome {
  if (bytes < least || bytes > most) return checkCondition(senseCodes.parameterListLengthError)
  return {
    kind: 'parameterOut',
    lengthBytes: bytes,
    apply: list => {
      // What the initiator holds back of the list is missing, whatever it was.
      if (list.length < bytes) return checkCondition(senseCodes.parameterListLengthError)
      const made = action(list)
      return 'kind' in made ? made : { kind: 'reserveOut', action: made }
    },
  }
}

const basicOnly = { least: basicList.size, most: basicList.size }

function register(ignoreKey: boolean): Command['run'] {
  return (buffer, offset) =>
    fetch(
      untypedOutCdb.get.parameterListLength(buffer, offset),
      { least: basicList.size, most: MAX_PERSISTENT_RESERVE_OUT_BYTES },
      list => registerAction(list, ignoreKey),
    )
}

const move: Command['run'] = (buffer, offset, { target }) =>
  fetch(
    untypedOutCdb.get.parameterListLength(buffer, offset),
    { least: moveList.size, most: MAX_PERSISTENT_RESERVE_OUT_BYTES },
    list => moveAction(list, relativePort(target)),
  )

/** An action that the keys, scope and type are all there is to. */
function withKeys(make: (keys: Keys, typed: Typed) => ReservationAction): Command['run'] {
  return (buffer, offset) => {
    const { get } = outCdb
    const typed = { scope: get.scope(buffer, offset), type: get.type(buffer, offset) }
    return fetch(get.parameterListLength(buffer, offset), basicOnly, list => {
      const keys = keysAction(list)
      return 'kind' in keys ? keys : make(keys, typed)
    })
  }
}

function preempt(abort: boolean): Command['run'] {
  return withKeys(({ key, newKey }, typed) => ({ name: 'preempt', key, victimKey: newKey, ...typed, abort }))
}

function report(what: ReservationReport): Command['run'] {
  return (buffer, offset) => ({
    kind: 'reserveIn',
    what,
    allocationLength: inCdb.get.allocationLength(buffer, offset),
  })
}

/** What ends a PERSISTENT RESERVE OUT that is refused. */
export function reservationRefused(why: ReservationRefusal): Outcome {
  switch (why) {
    case 'conflict':
      return { kind: 'status', status: status.reservationConflict }
    case 'invalidParameter':
      return checkCondition(senseCodes.invalidFieldInParameterList)
    case 'invalidScopeOrType':
      return invalidFieldInCdb(outCdb.pointer.scope)
    case 'nothingToMove':
      return checkCondition(senseCodes.invalidFieldInCdb)
    case 'invalidRelease':
      return checkCondition(senseCodes.invalidReleaseOfPersistentReservation)
    case 'noResources':
      return checkCondition(senseCodes.insufficientRegistrationResources)
  }
}

/** Every nexus may ask, and may register; what else conflicts the reservation itself decides. RESERVE of another nexus does [SPC-2 §5.5.1]. */
const always = { needsMedium: false, reserved: 'allowed', conflictsWithReserve: true } as const
const inRow = { spec: 'SPC-4 §6.15', cdb: inCdb, direction: 'in', ...always } as const
const outRow = { spec: 'SPC-4 §6.16', cdb: outCdb, direction: 'out', ...always } as const
const untypedOutRow = { ...outRow, cdb: untypedOutCdb } as const

/** By operation code. */
export const persistentReserveRows = {
  0x5e: {
    name: 'PERSISTENT RESERVE IN',
    serviceActions: {
      0x00: { name: 'PERSISTENT RESERVE IN/READ KEYS', ...inRow, run: report('keys') },
      0x01: { name: 'PERSISTENT RESERVE IN/READ RESERVATION', ...inRow, run: report('reservation') },
      0x02: { name: 'PERSISTENT RESERVE IN/REPORT CAPABILITIES', ...inRow, run: report('capabilities') },
      0x03: { name: 'PERSISTENT RESERVE IN/READ FULL STATUS', ...inRow, run: report('fullStatus') },
    },
  },
  0x5f: {
    name: 'PERSISTENT RESERVE OUT',
    serviceActions: {
      0x00: { name: 'PERSISTENT RESERVE OUT/REGISTER', ...untypedOutRow, run: register(false) },
      0x01: {
        name: 'PERSISTENT RESERVE OUT/RESERVE',
        ...outRow,
        run: withKeys(({ key }, typed) => ({ name: 'reserve', key, ...typed })),
      },
      0x02: {
        name: 'PERSISTENT RESERVE OUT/RELEASE',
        ...outRow,
        run: withKeys(({ key }, typed) => ({ name: 'release', key, ...typed })),
      },
      0x03: {
        name: 'PERSISTENT RESERVE OUT/CLEAR',
        ...untypedOutRow,
        run: withKeys(({ key }) => ({ name: 'clear', key })),
      },
      0x04: { name: 'PERSISTENT RESERVE OUT/PREEMPT', ...outRow, run: preempt(false) },
      0x05: { name: 'PERSISTENT RESERVE OUT/PREEMPT AND ABORT', ...outRow, run: preempt(true) },
      0x06: {
        name: 'PERSISTENT RESERVE OUT/REGISTER AND IGNORE EXISTING KEY',
        ...untypedOutRow,
        run: register(true),
      },
      0x07: { name: 'PERSISTENT RESERVE OUT/REGISTER AND MOVE', ...untypedOutRow, run: move },
    },
  },
} as const satisfies Readonly<Record<number, TableEntry>>
