// REPORT SUPPORTED OPERATION CODES [SPC-4 §6.35]: the command table, in the standard's form.
//
// The table is passed in, since this command is itself a row of it. Timeouts descriptors are given when asked for, with both
// timeouts zero, which means that none is specified. Left out: command-specific timeouts.

import { bit, bits, layout, u8, u16, u32 } from '@scsipub/bytes'
import { cdb } from '../cdb.js'
import type { Command, TableEntry } from '../command.js'
import type { LogicalUnit } from '../logical-unit.js'
import type { Outcome } from '../outcome.js'
import { dataIn, invalidFieldInCdb } from '../outcome.js'

export const reportSupportedOperationCodesCdb = cdb(12, {
  serviceAction: bits(1, 0, 5),
  rctd: bit(2, 7),
  reportingOptions: bits(2, 0, 3),
  requestedOperationCode: u8(3),
  requestedServiceAction: u16(4),
  allocationLength: u32(6),
})

export const commandDescriptor = layout(8, {
  operationCode: u8(0),
  serviceAction: u16(2),
  ctdp: bit(5, 1),
  servactv: bit(5, 0),
  cdbLength: u16(6),
})
export const oneCommand = layout(4, { ctdp: bit(1, 7), support: bits(1, 0, 3), cdbSize: u16(2) })
export const timeoutsDescriptor = layout(12, { descriptorLength: u16(0) })
const listHeader = layout(4, { commandDataLength: u32(0) })

/** Values of SUPPORT [SPC-4 §6.35.3]. */
const support = { notSupported: 0b001, asStandard: 0b011 } as const

export type CommandTable = Readonly<Record<number, TableEntry>>

/** All commands, or one in detail. */
export function reportSupportedOperationCodes(
  whole: CommandTable,
  cdb: Buffer,
  offset: number,
  lu: LogicalUnit,
): Outcome {
  const table = tableOf(whole, lu)
  const { get, pointer } = reportSupportedOperationCodesCdb
  const rctd = get.rctd(cdb, offset)
  const allocationLength = get.allocationLength(cdb, offset)
  const options = get.reportingOptions(cdb, offset)
  if (options === 0) return dataIn(allCommands(table, rctd), allocationLength)

  const operationCode = get.requestedOperationCode(cdb, offset)
  const serviceAction = get.requestedServiceAction(cdb, offset)
  const entry = table[operationCode]
  const hasActions = entry !== undefined && 'serviceActions' in entry
  const plain = entry !== undefined && !('serviceActions' in entry) ? entry : undefined
  const action = hasActions ? entry.serviceActions[serviceAction] : undefined
  switch (options) {
    // 001b is for commands without service actions, 010b for those with, 011b for either [SPC-4 §6.35.1].
    case 0b001:
      if (hasActions) return invalidFieldInCdb(pointer.requestedOperationCode)
      return dataIn(describe({ operationCode, command: plain, rctd }), allocationLength)
    case 0b010:
      if (plain !== undefined) return invalidFieldInCdb(pointer.requestedOperationCode)
      return dataIn(describe({ operationCode, serviceAction, command: action, rctd }), allocationLength)
    case 0b011: {
      const described = hasActions
        ? describe({ operationCode, serviceAction, command: action, rctd })
        : describe({ operationCode, command: serviceAction === 0 ? plain : undefined, rctd })
      return dataIn(described, allocationLength)
    }
    default:
      return invalidFieldInCdb(pointer.reportingOptions)
  }
}

/** The part of the table that this unit has. */
function tableOf(whole: CommandTable, lu: LogicalUnit): CommandTable {
  const has = ({ on }: Command) => on?.(lu) ?? true
  const entries = Object.entries(whole).flatMap(([opcode, entry]): [string, TableEntry][] => {
    if (!('serviceActions' in entry)) return has(entry) ? [[opcode, entry]] : []
    const actions = Object.entries(entry.serviceActions).filter(([, command]) => has(command))
    return actions.length > 0 ? [[opcode, { name: entry.name, serviceActions: Object.fromEntries(actions) }]] : []
  })
  return Object.fromEntries(entries)
}

function timeouts(): Buffer {
  return timeoutsDescriptor.encode({ descriptorLength: timeoutsDescriptor.size - 2 })
}

/** One descriptor a command, ascending [SPC-4 §6.35.2]. */
function allCommands(table: CommandTable, rctd: boolean): Buffer {
  const descriptors: Buffer[] = []
  const add = (operationCode: number, serviceAction: number, servactv: boolean, { cdb }: Command): void => {
    descriptors.push(
      commandDescriptor.encode({ operationCode, serviceAction, ctdp: rctd, servactv, cdbLength: cdb.size }),
    )
    if (rctd) descriptors.push(timeouts())
  }
  for (const [opcode, entry] of Object.entries(table)) {
    if (!('serviceActions' in entry)) add(Number(opcode), 0, false, entry)
    else
      for (const [action, command] of Object.entries(entry.serviceActions))
        add(Number(opcode), Number(action), true, command)
  }
  const body = Buffer.concat(descriptors)
  return Buffer.concat([listHeader.encode({ commandDataLength: body.length }), body])
}

interface Described {
  readonly operationCode: number
  /** Of a command that has one. */
  readonly serviceAction?: number
  readonly command: Command | undefined
  readonly rctd: boolean
}

/** One command with its CDB USAGE DATA, in which operation code and service action stand as values [SPC-4 §6.35.3]. */
function describe({ operationCode, serviceAction, command, rctd }: Described): Buffer {
  if (command === undefined) return oneCommand.encode({ support: support.notSupported })
  const usage = Buffer.from(command.cdb.usage)
  usage[0] = operationCode
  if (serviceAction !== undefined) usage[1] = (usage[1]! & 0xe0) | serviceAction
  const header = oneCommand.encode({ ctdp: rctd, support: support.asStandard, cdbSize: command.cdb.size })
  return Buffer.concat(rctd ? [header, usage, timeouts()] : [header, usage])
}
