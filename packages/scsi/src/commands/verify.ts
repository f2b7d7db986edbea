// VERIFY (10), (12), (16) [SBC-3 §5.29-5.31]. VRPROTECT must be zero (no protection information). BYTCHK 0 reads back, 1 compares with
// as much data, 3 compares every block with one; 2 is reserved. MAXIMUM TRANSFER LENGTH holds whether or not data is sent, since
// the blocks are read either way.

import type { Field } from '@scsipub/bytes'
import { bit, bits, u16, u32 } from '@scsipub/bytes'
import type { Cdb } from '../cdb.js'
import { cdb, lba64 } from '../cdb.js'
import type { Command } from '../command.js'
import { good, invalidFieldInCdb } from '../outcome.js'
import { outOfRange, tooLong } from './block-range.js'

const flags = { protect: bits(1, 5, 3), dpo: bit(1, 4), byteCheck: bits(1, 1, 2) }
const ignored = ['groupNumber'] as const

export const verify10 = cdb(
  10,
  { ...flags, logicalBlockAddress: u32(2), groupNumber: bits(6, 0, 5), verificationLength: u16(7) },
  ignored,
)
export const verify12 = cdb(
  12,
  { ...flags, logicalBlockAddress: u32(2), verificationLength: u32(6), groupNumber: bits(10, 0, 5) },
  ignored,
)
export const verify16 = cdb(
  16,
  { ...flags, logicalBlockAddress: lba64(2), verificationLength: u32(10), groupNumber: bits(14, 0, 5) },
  ignored,
)

export type VerifyCdb = Cdb<typeof flags & { logicalBlockAddress: Field<number>; verificationLength: Field<number> }>

/** Makes the `run` of a VERIFY. */
export function verify({ get, pointer }: VerifyCdb): Command['run'] {
  return (cdb, offset, _context, lu) => {
    if (get.protect(cdb, offset) !== 0) return invalidFieldInCdb(pointer.protect)
    const byteCheck = get.byteCheck(cdb, offset)
    if (byteCheck !== 0 && byteCheck !== 1 && byteCheck !== 3) return invalidFieldInCdb(pointer.byteCheck)
    const lba = get.logicalBlockAddress(cdb, offset)
    const blocks = get.verificationLength(cdb, offset)
    const fault = tooLong(lu, blocks, pointer.verificationLength) ?? outOfRange(cdb, offset, lu, lba, blocks)
    if (fault !== undefined) return fault
    return blocks === 0 ? good : { kind: 'verify', lba, blocks, byteCheck }
  }
}
