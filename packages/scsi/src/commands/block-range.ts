// Checks that every command over a range of logical blocks shares [SBC-3 §4.2.2, §4.18].

import { u64 } from '@scsipub/bytes'
import type { LogicalUnit } from '../logical-unit.js'
import type { Outcome } from '../outcome.js'
import { checkCondition, invalidFieldInCdb } from '../outcome.js'
import type { FieldPointer } from '../sense.js'
import { senseCodes } from '../sense-codes.js'

const longLba = u64(2)

/**
 * Outcome 5/21/00 when the range reaches beyond the last block, else undefined. INFORMATION is the first LBA that does not exist. `cdb`
 * and `offset` are there for the exact value of an LBA above 2^53, which only a 16-byte CDB can hold (bytes 2 to 9).
 * A range of no blocks right behind the last one reaches nowhere, and passes.
 */
export function outOfRange(
  cdb: Buffer,
  offset: number,
  lu: LogicalUnit,
  lba: number,
  blocks: number,
): Outcome | undefined {
  const { sizeBlocks } = lu
  if (lba <= sizeBlocks && blocks <= sizeBlocks - lba) return undefined
  const exact = Number.isSafeInteger(lba) ? BigInt(Math.max(lba, sizeBlocks)) : longLba.get(cdb, offset)
  return checkCondition(senseCodes.lbaOutOfRange, { information: exact })
}

/** Outcome 5/24/00 when more blocks are named than MAXIMUM TRANSFER LENGTH allows [SBC-3 §6.6.4], else undefined. */
export function tooLong(lu: LogicalUnit, blocks: number, transferLength: FieldPointer): Outcome | undefined {
  return blocks > lu.maxTransferBlocks ? invalidFieldInCdb(transferLength) : undefined
}
