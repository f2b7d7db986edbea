// From a CDB to an outcome. The order of the checks is the standard's: does the unit exist, is there something it must be told
// first, is the command known, is the CDB sound, is there a medium; and then the command itself [SPC-4 §4.2, SAM-5 §5.14].
//
// Pure but for one thing: a unit attention that is reported leaves the queue of the nexus. Reservations, queueing and
// task attributes belong to the caller; `reservationClass` tells it what it needs to know of the command.

import { reservedBitSet } from './cdb.js'
import type { Command, ReservationClass } from './command.js'
import { commandTable } from './command-table.js'
import type { Context, SanitizeState } from './logical-unit.js'
import { hasMedium } from './logical-unit.js'
import { REPORT_LUNS_WLUN } from './lun.js'
import type { Outcome } from './outcome.js'
import { checkCondition, invalidFieldInCdb } from './outcome.js'
import { sanitizeSense } from './sanitize-sense.js'
import type { FieldPointer } from './sense.js'
import { senseCodes } from './sense-codes.js'
import { status } from './status.js'
import { takeUnitAttention } from './unit-attention.js'

interface Slot {
  readonly name: string
  readonly command: Command | undefined
  readonly actions: readonly (Command | undefined)[]
}

/** The table spread out over the 256 operation codes, so that finding a command is one index. */
const slots: readonly (Slot | undefined)[] = Array.from({ length: 256 }, (_, opcode): Slot | undefined => {
  const entry = commandTable[opcode]
  if (entry === undefined) return undefined
  if (!('serviceActions' in entry)) return { name: entry.name, command: entry, actions: [] }
  return {
    name: entry.name,
    command: undefined,
    actions: Array.from({ length: 32 }, (_, action) => entry.serviceActions[action]),
  }
})

/** SERVICE ACTION is the same field in every command that has one [SPC-4 §4.2.5.2]. */
const SERVICE_ACTION: FieldPointer = { in: 'cdb', byte: 1, bit: 4 }
const OPERATION_CODE: FieldPointer = { in: 'cdb', byte: 0, bit: 7 }

function serviceAction(cdb: Buffer, offset: number): number {
  return cdb[offset + 1]! & 0x1f
}

function commandOf(slot: Slot | undefined, cdb: Buffer, offset: number): Command | undefined {
  return slot?.command ?? slot?.actions[serviceAction(cdb, offset)]
}

/**
 * What the command comes to. Never throws on account of the CDB.
 * @param cdb 16 bytes at `cdbOffset`, as an iSCSI header has them; a shorter CDB is padded with anything. Not kept, not changed.
 */
export function dispatch(cdb: Buffer, cdbOffset: number, context: Context): Outcome {
  const { lu, lun, nexus } = context
  let slot = slots[cdb[cdbOffset]!]
  let command = commandOf(slot, cdb, cdbOffset)
  if (lu?.thin === false && command?.on?.(lu) === false) {
    if (slot?.command !== undefined) slot = undefined
    command = undefined
  }

  const missing = lu === undefined && lun !== REPORT_LUNS_WLUN
  if (missing) {
    if (command?.runWithoutLu === undefined) return checkCondition(senseCodes.logicalUnitNotSupported)
  } else if (nexus.unitAttentions.length !== 0 && command?.ignoresUnitAttention !== true) {
    // A unit attention goes before everything but INQUIRY, REPORT LUNS and REQUEST SENSE [SAM-5 §5.14].
    const pending = takeUnitAttention(nexus.unitAttentions)
    if (pending !== undefined) return checkCondition(pending)
  }
  // Unknown, or not among the few commands of the well known unit [SPC-4 §8.2].
  if (slot === undefined || (lu === undefined && command?.runWithoutLu === undefined)) {
    return checkCondition(senseCodes.invalidCommandOperationCode, { field: OPERATION_CODE })
  }
  if (command === undefined) return invalidFieldInCdb(SERVICE_ACTION)

  if (lu?.sanitize !== undefined) {
    const fault = sanitizeFault(lu.sanitize, command)
    if (fault !== undefined) return fault
  }
  const reserved = reservedBitSet(command.cdb, cdb, cdbOffset)
  if (reserved !== undefined) return invalidFieldInCdb(reserved)
  if (lu === undefined) return command.runWithoutLu!(cdb, cdbOffset, context)
  if (command.needsMedium && !hasMedium(lu)) return checkCondition(senseCodes.mediumNotPresent)
  return command.run(cdb, cdbOffset, context, lu)
}

/** Why a command cannot be carried out now that the unit is being sanitized, or could not be; undefined when it can [SBC-3 §4.11.2, §4.11.4]. */
function sanitizeFault(sanitize: SanitizeState, command: Command): Outcome | undefined {
  // The same ones that nothing else holds up: INQUIRY, REPORT LUNS, REQUEST SENSE.
  if (command.ignoresUnitAttention === true) return undefined
  if (sanitize.state === 'failed' && command.answersSanitizeFailure === true) return undefined
  return { kind: 'status', status: status.checkCondition, sense: sanitizeSense(sanitize) }
}

/** The name of a command for logs; of an unknown one its operation code and, where there are such, service action. */
export function commandName(cdb: Buffer, cdbOffset: number): string {
  const opcode = cdb[cdbOffset]!
  const slot = slots[opcode]
  const command = commandOf(slot, cdb, cdbOffset)
  if (command !== undefined) return command.name
  const hex = (value: number): string => `${value.toString(16).toUpperCase().padStart(2, '0')}h`
  return slot === undefined ? `operation code ${hex(opcode)}` : `${slot.name}/${hex(serviceAction(cdb, cdbOffset))}`
}

/** How a reservation of another nexus bears on this command; `conflict` unless the table says otherwise. */
export function reservationClass(cdb: Buffer, cdbOffset: number): ReservationClass {
  const rule = commandOf(slots[cdb[cdbOffset]!], cdb, cdbOffset)?.reserved ?? 'conflict'
  return typeof rule === 'function' ? rule(cdb, cdbOffset) : rule
}

/**
 * Whether a RESERVE of another nexus keeps this command out: everything but what passes any reservation, less the few that only persistent ones let
 * pass [SPC-2 §5.5.1, table 10; SBC-2 §4.12].
 */
export function conflictsWithReserve(cdb: Buffer, cdbOffset: number): boolean {
  const command = commandOf(slots[cdb[cdbOffset]!], cdb, cdbOffset)
  return command?.conflictsWithReserve === true || reservationClass(cdb, cdbOffset) !== 'allowed'
}

/** Whether a persistent reservation that does not give full access keeps this command out; `mayRead`: it lets others read [SPC-4 §5.13.1, table 65]. */
export function conflictsWithReservation(cdb: Buffer, cdbOffset: number, mayRead: boolean): boolean {
  const rule = reservationClass(cdb, cdbOffset)
  return rule === 'asRead' ? !mayRead : rule !== 'allowed'
}
