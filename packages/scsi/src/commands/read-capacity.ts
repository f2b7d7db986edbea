// READ CAPACITY (10) and (16) [SBC-3 §5.15, §5.16]. A thin unit can unmap (LBPME), and what is unmapped reads as zeros (LBPRZ).
// Protection information is not supported, and the first physical block begins at LBA 0.

import { bit, bits, layout, u32, u64 } from '@scsipub/bytes'
import { cdb, lba64 } from '../cdb.js'
import { blocksPerPhysicalBlock, type Context, type LogicalUnit } from '../logical-unit.js'
import type { Outcome } from '../outcome.js'
import { dataIn, invalidFieldInCdb } from '../outcome.js'

/** LOGICAL BLOCK ADDRESS and PMI are obsolete since SBC-3; they are treated as SBC-2 §5.10 wants it. */
export const readCapacity10Cdb = cdb(10, { logicalBlockAddress: u32(2), pmi: bit(8, 0) })
export const readCapacity16Cdb = cdb(16, {
  serviceAction: bits(1, 0, 5),
  logicalBlockAddress: lba64(2),
  allocationLength: u32(10),
  pmi: bit(14, 0),
})

export const capacity10 = layout(8, { returnedLogicalBlockAddress: u32(0), logicalBlockLengthInBytes: u32(4) })
export const capacity16 = layout(32, {
  returnedLogicalBlockAddress: u64(0),
  logicalBlockLengthInBytes: u32(8),
  pType: bits(12, 1, 3),
  protEn: bit(12, 0),
  piExponent: bits(13, 4, 4),
  logicalBlocksPerPhysicalBlockExponent: bits(13, 0, 4),
  lbpme: bit(14, 7),
  lbprz: bit(14, 6),
})

/** Eight bytes; FFFFFFFFh when the last LBA does not fit, which sends the initiator to READ CAPACITY (16) [SBC-3 §5.15.2]. */
export function readCapacity10(cdb: Buffer, offset: number, _context: Context, lu: LogicalUnit): Outcome {
  const { get, pointer } = readCapacity10Cdb
  // Without PMI the address must be zero. With it the answer is the same: no access is slower than another [SBC-2 §5.10.1].
  if (!get.pmi(cdb, offset) && get.logicalBlockAddress(cdb, offset) !== 0)
    return invalidFieldInCdb(pointer.logicalBlockAddress)
  const last = Math.min(lu.sizeBlocks - 1, 0xffff_ffff)
  return dataIn(
    capacity10.encode({ returnedLogicalBlockAddress: last, logicalBlockLengthInBytes: lu.blockBytes }),
    capacity10.size,
  )
}

/** 32 bytes, cut to the ALLOCATION LENGTH [SBC-3 §5.16.2]. */
export function readCapacity16(cdb: Buffer, offset: number, _context: Context, lu: LogicalUnit): Outcome {
  const { get, pointer } = readCapacity16Cdb
  if (!get.pmi(cdb, offset) && get.logicalBlockAddress(cdb, offset) !== 0)
    return invalidFieldInCdb(pointer.logicalBlockAddress)
  const data = capacity16.encode({
    returnedLogicalBlockAddress: BigInt(lu.sizeBlocks - 1),
    logicalBlockLengthInBytes: lu.blockBytes,
    logicalBlocksPerPhysicalBlockExponent: Math.log2(blocksPerPhysicalBlock(lu)),
    lbpme: lu.thin,
    lbprz: lu.thin,
  })
  return dataIn(data, get.allocationLength(cdb, offset))
}
