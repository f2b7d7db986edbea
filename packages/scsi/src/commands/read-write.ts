// READ and WRITE (6), (10), (12), (16) [SBC-3 §5.11-5.13, §5.33-5.35; the six-byte ones SBC-2 §5.5, §5.24].
//
// The hot path: apart from the outcome nothing is allocated. Two commands differ in where their fields are, so each is made from
// its CDB. RDPROTECT and WRPROTECT must be zero, since no unit is formatted with protection information. DPO is a hint and
// has no effect. FUA_NV is met by the stronger FUA. RARC and RelAdr are not supported, so they are refused
// as reserved bits: relative addressing taken as absolute would touch other blocks.

import type { Field } from '@scsipub/bytes'
import { bit, bits, u8, u16, u32 } from '@scsipub/bytes'
import type { Cdb } from '../cdb.js'
import { cdb, lba21, lba64 } from '../cdb.js'
import type { Command } from '../command.js'
import { checkCondition, good, invalidFieldInCdb } from '../outcome.js'
import { senseCodes } from '../sense-codes.js'
import { outOfRange, tooLong } from './block-range.js'

const flags = { protect: bits(1, 5, 3), dpo: bit(1, 4), fua: bit(1, 3), fuaNv: bit(1, 1) }

/** Statistics by group are not kept (GROUP_SUP is zero): the number is taken and has no effect [SBC-3 §4.22]. */
const ignored = ['groupNumber'] as const

// The layouts for READ and WRITE are the same, byte for byte.
export const transfer6 = cdb(6, { logicalBlockAddress: lba21(1), transferLength: u8(4) })
export const transfer10 = cdb(
  10,
  { ...flags, logicalBlockAddress: u32(2), groupNumber: bits(6, 0, 5), transferLength: u16(7) },
  ignored,
)
export const transfer12 = cdb(
  12,
  { ...flags, logicalBlockAddress: u32(2), transferLength: u32(6), groupNumber: bits(10, 0, 5) },
  ignored,
)
export const transfer16 = cdb(
  16,
  { ...flags, logicalBlockAddress: lba64(2), transferLength: u32(10), groupNumber: bits(14, 0, 5) },
  ignored,
)

type TransferCdb = Cdb<typeof flags & { logicalBlockAddress: Field<number>; transferLength: Field<number> }>

/** Makes the `run` of a READ whose CDB has flags. */
export function read(layout: TransferCdb): Command['run'] {
  const { logicalBlockAddress, transferLength, protect, fua, fuaNv } = layout.get
  return (cdb, offset, _context, lu) => {
    if (protect(cdb, offset) !== 0) return invalidFieldInCdb(layout.pointer.protect)
    const lba = logicalBlockAddress(cdb, offset)
    const blocks = transferLength(cdb, offset)
    const fault = tooLong(lu, blocks, layout.pointer.transferLength) ?? outOfRange(cdb, offset, lu, lba, blocks)
    if (fault !== undefined) return fault
    // No blocks is not an error [SBC-3 §5.11].
    if (blocks === 0) return good
    return { kind: 'read', lba, blocks, fua: fua(cdb, offset) || fuaNv(cdb, offset) }
  }
}

/** Makes the `run` of a WRITE whose CDB has flags. */
export function write(layout: TransferCdb): Command['run'] {
  const { logicalBlockAddress, transferLength, protect, fua, fuaNv } = layout.get
  return (cdb, offset, _context, lu) => {
    if (protect(cdb, offset) !== 0) return invalidFieldInCdb(layout.pointer.protect)
    if (lu.readOnly) return checkCondition(senseCodes.writeProtected)
    const lba = logicalBlockAddress(cdb, offset)
    const blocks = transferLength(cdb, offset)
    const fault = tooLong(lu, blocks, layout.pointer.transferLength) ?? outOfRange(cdb, offset, lu, lba, blocks)
    if (fault !== undefined) return fault
    if (blocks === 0) return good
    return { kind: 'write', lba, blocks, fua: fua(cdb, offset) || fuaNv(cdb, offset) }
  }
}

/** In six-byte commands a TRANSFER LENGTH of zero means 256 blocks [SBC-2 §5.5]. */
function blocks6(cdb: Buffer, offset: number): number {
  return transfer6.get.transferLength(cdb, offset) || 256
}

/** READ (6). */
export const read6: Command['run'] = (cdb, offset, _context, lu) => {
  const lba = transfer6.get.logicalBlockAddress(cdb, offset)
  const blocks = blocks6(cdb, offset)
  const fault = tooLong(lu, blocks, transfer6.pointer.transferLength) ?? outOfRange(cdb, offset, lu, lba, blocks)
  return fault ?? { kind: 'read', lba, blocks, fua: false }
}

/** WRITE (6). */
export const write6: Command['run'] = (cdb, offset, _context, lu) => {
  if (lu.readOnly) return checkCondition(senseCodes.writeProtected)
  const lba = transfer6.get.logicalBlockAddress(cdb, offset)
  const blocks = blocks6(cdb, offset)
  const fault = tooLong(lu, blocks, transfer6.pointer.transferLength) ?? outOfRange(cdb, offset, lu, lba, blocks)
  return fault ?? { kind: 'write', lba, blocks, fua: false }
}
