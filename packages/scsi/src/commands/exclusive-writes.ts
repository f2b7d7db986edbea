// COMPARE AND WRITE [SBC-3 §5.2], ORWRITE (16) [SBC-3 §5.5] and WRITE ATOMIC (16) [SBC-4 §5.48]: writes that no other command may come
// between. Their limits stand here, and page B0h reports them from here. Left out: ATOMIC BOUNDARY, that is more than one atomic
// operation a command; MAXIMUM ATOMIC BOUNDARY SIZE of zero says so.

import { bit, bits, u8, u16 } from '@scsipub/bytes'
import { cdb, lba64 } from '../cdb.js'
import type { Command, TableEntry } from '../command.js'
import { blocksPerPhysicalBlock, type LogicalUnit } from '../logical-unit.js'
import { checkCondition, good, invalidFieldInCdb } from '../outcome.js'
import { senseCodes } from '../sense-codes.js'
import { outOfRange, tooLong } from './block-range.js'
import { transfer16 } from './read-write.js'

/** MAXIMUM COMPARE AND WRITE LENGTH of page B0h, in blocks. The field has eight bits. */
export function maxCompareAndWriteBlocks(lu: LogicalUnit): number {
  return Math.min(128, lu.maxTransferBlocks)
}

/** MAXIMUM ATOMIC TRANSFER LENGTH of page B0h, in blocks. */
export function maxAtomicBlocks(lu: LogicalUnit): number {
  return Math.min(256, lu.maxTransferBlocks)
}

/** ATOMIC ALIGNMENT and ATOMIC TRANSFER LENGTH GRANULARITY of page B0h, in blocks: those of a physical block; 0 where that is one logical block. */
export function atomicGranularityBlocks(lu: LogicalUnit): number {
  const blocks = blocksPerPhysicalBlock(lu)
  return blocks > 1 ? blocks : 0
}

const flags = { protect: bits(1, 5, 3), dpo: bit(1, 4), fua: bit(1, 3) }
const ignored = ['groupNumber'] as const

export const compareAndWriteCdb = cdb(
  16,
  {
    ...flags,
    fuaNv: bit(1, 1),
    logicalBlockAddress: lba64(2),
    numberOfLogicalBlocks: u8(13),
    groupNumber: bits(14, 0, 5),
  },
  ignored,
)

export const writeAtomic16Cdb = cdb(
  16,
  {
    ...flags,
    logicalBlockAddress: lba64(2),
    atomicBoundary: u16(10),
    transferLength: u16(12),
    groupNumber: bits(14, 0, 5),
  },
  ignored,
)

/** COMPARE AND WRITE. Of no blocks it is no error, unless data comes with it. */
export const compareAndWrite: Command['run'] = (cdb, offset, _context, lu) => {
  const { get, pointer } = compareAndWriteCdb
  if (get.protect(cdb, offset) !== 0) return invalidFieldInCdb(pointer.protect)
  if (lu.readOnly) return checkCondition(senseCodes.writeProtected)
  const lba = get.logicalBlockAddress(cdb, offset)
  const blocks = get.numberOfLogicalBlocks(cdb, offset)
  if (blocks > maxCompareAndWriteBlocks(lu)) return invalidFieldInCdb(pointer.numberOfLogicalBlocks)
  const fua = get.fua(cdb, offset) || get.fuaNv(cdb, offset)
  const lengthField = pointer.numberOfLogicalBlocks
  const fault = outOfRange(cdb, offset, lu, lba, blocks)
  return fault ?? { kind: 'exclusive', operation: 'compareAndWrite', lba, blocks, fua, lengthField }
}

/** ORWRITE (16): the CDB is that of WRITE (16), with ORPROTECT in the place of WRPROTECT. */
export const orWrite16: Command['run'] = (cdb, offset, _context, lu) => {
  const { get, pointer } = transfer16
  if (get.protect(cdb, offset) !== 0) return invalidFieldInCdb(pointer.protect)
  if (lu.readOnly) return checkCondition(senseCodes.writeProtected)
  const lba = get.logicalBlockAddress(cdb, offset)
  const blocks = get.transferLength(cdb, offset)
  const fua = get.fua(cdb, offset) || get.fuaNv(cdb, offset)
  const fault = tooLong(lu, blocks, pointer.transferLength) ?? outOfRange(cdb, offset, lu, lba, blocks)
  if (fault !== undefined) return fault
  if (blocks === 0) return good
  return { kind: 'exclusive', operation: 'orWrite', lba, blocks, fua, lengthField: pointer.transferLength }
}

/** WRITE ATOMIC (16). */
export const writeAtomic16: Command['run'] = (cdb, offset, _context, lu) => {
  const { get, pointer } = writeAtomic16Cdb
  if (get.protect(cdb, offset) !== 0) return invalidFieldInCdb(pointer.protect)
  if (lu.readOnly) return checkCondition(senseCodes.writeProtected)
  if (get.atomicBoundary(cdb, offset) !== 0) return invalidFieldInCdb(pointer.atomicBoundary) // [SBC-4 §6.6.4]
  const lba = get.logicalBlockAddress(cdb, offset)
  const blocks = get.transferLength(cdb, offset)
  const fault = outOfRange(cdb, offset, lu, lba, blocks)
  if (fault !== undefined) return fault
  const granularity = atomicGranularityBlocks(lu) || 1
  if (lba % granularity !== 0) return invalidFieldInCdb(pointer.logicalBlockAddress) // [SBC-4 §4.29]
  if (blocks > maxAtomicBlocks(lu) || blocks % granularity !== 0) return invalidFieldInCdb(pointer.transferLength)
  if (blocks === 0) return good
  const fua = get.fua(cdb, offset)
  return { kind: 'exclusive', operation: 'writeAtomic', lba, blocks, fua, lengthField: pointer.transferLength }
}

const row = { direction: 'out', reserved: 'asWrite', needsMedium: true } as const

/** Their rows of the command table. */
export const exclusiveWrites: Readonly<Record<number, TableEntry>> = {
  0x89: { name: 'COMPARE AND WRITE', spec: 'SBC-3 §5.2', cdb: compareAndWriteCdb, ...row, run: compareAndWrite },
  0x8b: { name: 'ORWRITE(16)', spec: 'SBC-3 §5.5', cdb: transfer16, ...row, run: orWrite16 },
  0x9c: { name: 'WRITE ATOMIC(16)', spec: 'SBC-4 §5.48', cdb: writeAtomic16Cdb, ...row, run: writeAtomic16 },
}
