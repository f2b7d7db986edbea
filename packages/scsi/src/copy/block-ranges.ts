// Block device range descriptors [SBC-3 §5.7.3]: LBA (8 bytes), number of blocks (4), reserved (4).

import { layout, u32, u64 } from '@scsipub/bytes'
import { lba64 } from '../cdb.js'
import type { LogicalUnit } from '../logical-unit.js'
import type { Outcome } from '../outcome.js'
import { checkCondition } from '../outcome.js'
import { senseCodes } from '../sense-codes.js'
import type { BlockRange } from './copy-job.js'
import { MAX_RANGE_DESCRIPTORS, MAX_TOKEN_BYTES } from './limits.js'

export const rangeDescriptor = layout(16, { lba: lba64(0), blocks: u32(8) })
const exactLba = u64(0)

/** Ranges in the order of the list, those of no blocks left out. */
export interface Ranges {
  readonly ranges: readonly BlockRange[]
  readonly totalBlocks: number
}

/** Reads `length` bytes of descriptors at `from`: all within the unit, none over another, together no more than a token may hold. */
export function rangeDescriptors(data: Buffer, from: number, length: number, lu: LogicalUnit): Ranges | Outcome {
  const count = Math.floor(length / rangeDescriptor.size)
  if (count > MAX_RANGE_DESCRIPTORS) return checkCondition(senseCodes.tooManySegmentDescriptors)
  const invalid = checkCondition(senseCodes.invalidFieldInParameterList, { field: { in: 'parameterList', byte: from } })
  const ranges: BlockRange[] = []
  let totalBlocks = 0
  for (let index = 0; index < count; index++) {
    const at = from + index * rangeDescriptor.size
    const { lba, blocks } = rangeDescriptor.decode(data, at)
    if (lba > lu.sizeBlocks || blocks > lu.sizeBlocks - lba) {
      const first = exactLba.get(data, at)
      const end = BigInt(lu.sizeBlocks)
      return checkCondition(senseCodes.lbaOutOfRange, { information: first > end ? first : end })
    }
    if (blocks > 0) ranges.push({ lba, blocks })
    totalBlocks += blocks
  }
  if (totalBlocks * lu.blockBytes > MAX_TOKEN_BYTES || overlap(ranges)) return invalid
  return { ranges, totalBlocks }
}

function overlap(ranges: readonly BlockRange[]): boolean {
  const sorted = [...ranges].sort((a, b) => a.lba - b.lba)
  return sorted.some(({ lba }, index) => {
    const before = sorted[index - 1]
    return before !== undefined && before.lba + before.blocks > lba
  })
}
