// SYNCHRONIZE CACHE (10) and (16) [SBC-3 §5.26, §5.27]. SYNC_NV is met by the stronger promise: there is no
// non-volatile cache in between, so everything goes to stable storage.

import type { Field } from '@scsipub/bytes'
import { bit, bits, u16, u32 } from '@scsipub/bytes'
import type { Cdb } from '../cdb.js'
import { cdb, lba64 } from '../cdb.js'
import type { Command } from '../command.js'
import { outOfRange } from './block-range.js'

const flags = { syncNv: bit(1, 2), immed: bit(1, 1) }
const ignored = ['groupNumber'] as const

export const synchronizeCache10 = cdb(
  10,
  { ...flags, logicalBlockAddress: u32(2), groupNumber: bits(6, 0, 5), numberOfLogicalBlocks: u16(7) },
  ignored,
)
export const synchronizeCache16 = cdb(
  16,
  { ...flags, logicalBlockAddress: lba64(2), numberOfLogicalBlocks: u32(10), groupNumber: bits(14, 0, 5) },
  ignored,
)

type SynchronizeCacheCdb = Cdb<
  typeof flags & { logicalBlockAddress: Field<number>; numberOfLogicalBlocks: Field<number> }
>

/** Makes the `run` of a SYNCHRONIZE CACHE. No blocks means all from the LBA to the last one [SBC-3 §5.26]. */
export function synchronizeCache({ get }: SynchronizeCacheCdb): Command['run'] {
  return (cdb, offset, _context, lu) => {
    const lba = get.logicalBlockAddress(cdb, offset)
    const named = get.numberOfLogicalBlocks(cdb, offset)
    return (
      outOfRange(cdb, offset, lu, lba, named) ?? {
        kind: 'flush',
        lba,
        blocks: named === 0 ? lu.sizeBlocks - lba : named,
        immediate: get.immed(cdb, offset),
      }
    )
  }
}
