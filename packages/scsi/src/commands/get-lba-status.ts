// GET LBA STATUS [SBC-3 §5.6]: which blocks are mapped, deallocated or anchored, in runs.
//
// An answer may end before the last block: the initiator asks again from there. Left out: the report types of SBC-4.

import { bits, layout, u32, u64 } from '@scsipub/bytes'
import { cdb, lba64 } from '../cdb.js'
import type { Context, LogicalUnit } from '../logical-unit.js'
import type { Outcome } from '../outcome.js'
import { dataIn } from '../outcome.js'
import type { LbaStatus } from '../provision-operation.js'
import { outOfRange } from './block-range.js'

export const getLbaStatusCdb = cdb(16, {
  serviceAction: bits(1, 0, 5),
  startingLogicalBlockAddress: lba64(2),
  allocationLength: u32(10),
})

export const lbaStatusHeader = layout(8, { parameterDataLength: u32(0) })
export const lbaStatusDescriptor = layout(16, {
  lbaStatusLogicalBlockAddress: u64(0),
  numberOfLogicalBlocks: u32(8),
  provisioningStatus: bits(12, 0, 4),
})

const MAX_DESCRIPTORS = 1024
/** Bytes of the unit that one command looks through. */
const WINDOW_BYTES = 2 ** 32

/** GET LBA STATUS. There is at least one descriptor, for the block asked for [SBC-3 §5.6.2]. */
export function getLbaStatus(cdb: Buffer, offset: number, _context: Context, lu: LogicalUnit): Outcome {
  const { get } = getLbaStatusCdb
  const lba = get.startingLogicalBlockAddress(cdb, offset)
  const fault = outOfRange(cdb, offset, lu, lba, 1)
  if (fault !== undefined) return fault
  const allocationLength = get.allocationLength(cdb, offset)
  const room = Math.floor((allocationLength - lbaStatusHeader.size) / lbaStatusDescriptor.size)
  return {
    kind: 'provision',
    operation: {
      name: 'lbaStatus',
      lba,
      blocks: Math.min(lu.sizeBlocks - lba, WINDOW_BYTES / lu.blockBytes),
      limit: Math.max(1, Math.min(room, MAX_DESCRIPTORS)),
      answer: runs => dataIn(parameterData(runs), allocationLength),
    },
  }
}

function parameterData(runs: readonly LbaStatus[]): Buffer {
  const descriptors = runs.map(({ lba, blocks, status }) =>
    lbaStatusDescriptor.encode({
      lbaStatusLogicalBlockAddress: BigInt(lba),
      numberOfLogicalBlocks: blocks,
      provisioningStatus: status,
    }),
  )
  const parameterDataLength = lbaStatusHeader.size - 4 + descriptors.length * lbaStatusDescriptor.size
  return Buffer.concat([lbaStatusHeader.encode({ parameterDataLength }), ...descriptors])
}
