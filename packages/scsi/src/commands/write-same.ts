// WRITE SAME (10) and (16) [SBC-3 §5.42, §5.43]: one block from the initiator, or with NDOB a block of zeros, written to all of a range.
//
// With UNMAP the blocks may be deallocated instead, if they then read as what was to be written: that is so for zeros (LBPRZ). Without it
// they stay mapped, whatever is written. WRPROTECT must be zero (no protection information); the obsolete PBDATA and LBDATA are refused.

import type { Field } from '@scsipub/bytes'
import { bit, bits, u16, u32 } from '@scsipub/bytes'
import type { Cdb } from '../cdb.js'
import { cdb, lba64 } from '../cdb.js'
import type { Command } from '../command.js'
import type { Outcome } from '../outcome.js'
import { checkCondition, good, invalidFieldInCdb } from '../outcome.js'
import { lengthMayBeOpen, maxWriteSameBlocks } from '../provisioning-limits.js'
import { senseCodes } from '../sense-codes.js'
import { outOfRange } from './block-range.js'

const flags = { protect: bits(1, 5, 3), anchor: bit(1, 4), unmap: bit(1, 3) }
const ignored = ['groupNumber'] as const

export const writeSame10 = cdb(
  10,
  { ...flags, logicalBlockAddress: u32(2), groupNumber: bits(6, 0, 5), numberOfLogicalBlocks: u16(7) },
  ignored,
)
export const writeSame16 = cdb(
  16,
  {
    ...flags,
    ndob: bit(1, 0),
    logicalBlockAddress: lba64(2),
    numberOfLogicalBlocks: u32(10),
    groupNumber: bits(14, 0, 5),
  },
  ignored,
)

type WriteSameCdb = Cdb<typeof flags & { logicalBlockAddress: Field<number>; numberOfLogicalBlocks: Field<number> }>

/** Makes the `run` of a WRITE SAME. `noData` reads NDOB, where the CDB has it. */
export function writeSame(
  { get, pointer }: WriteSameCdb,
  noData: (cdb: Buffer, offset: number) => boolean = () => false,
): Command['run'] {
  return (cdb, offset, _context, lu): Outcome => {
    if (get.protect(cdb, offset) !== 0) return invalidFieldInCdb(pointer.protect)
    const unmap = get.unmap(cdb, offset)
    const anchor = get.anchor(cdb, offset)
    // Anchoring is a way of unmapping [SBC-3 §5.42.1].
    if (anchor && !unmap) return invalidFieldInCdb(pointer.anchor)
    if (unmap && !lu.thin) return invalidFieldInCdb(pointer.unmap)
    if (lu.readOnly) return checkCondition(senseCodes.writeProtected)
    const lba = get.logicalBlockAddress(cdb, offset)
    const told = get.numberOfLogicalBlocks(cdb, offset)
    // Zero means all blocks to the last one, which WSNZ denies [SBC-3 §5.42.1, §6.6.4].
    if (told === 0 && !lengthMayBeOpen(lu)) return invalidFieldInCdb(pointer.numberOfLogicalBlocks)
    const blocks = told === 0 ? Math.max(0, lu.sizeBlocks - lba) : told
    if (blocks > maxWriteSameBlocks(lu)) return invalidFieldInCdb(pointer.numberOfLogicalBlocks)
    const fault = outOfRange(cdb, offset, lu, lba, blocks)
    if (fault !== undefined) return fault
    if (blocks === 0) return good
    const fill = (block: Buffer): Outcome => ({
      kind: 'provision',
      operation: { name: 'writeSame', lba, blocks, block, unmap, anchor },
    })
    if (noData(cdb, offset)) return fill(Buffer.alloc(lu.blockBytes))
    return {
      kind: 'parameterOut',
      lengthBytes: lu.blockBytes,
      // A part of a block is not a block that could be repeated.
      apply: data => (data.length < lu.blockBytes ? invalidFieldInCdb(pointer.numberOfLogicalBlocks) : fill(data)),
    }
  }
}
