// WRITE AND VERIFY (10), (12), (16) [SBC-3 §5.37-5.39]: a write that reaches the medium, and a look at what is there then. The CDBs are those of
// VERIFY. BYTCHK 0 reads the blocks back, 1 compares them with what was sent; 2 and 3 are reserved.

import type { Command, TableEntry } from '../command.js'
import { checkCondition, good, invalidFieldInCdb } from '../outcome.js'
import { senseCodes } from '../sense-codes.js'
import { outOfRange, tooLong } from './block-range.js'
import { type VerifyCdb, verify10, verify12, verify16 } from './verify.js'

/** Makes the `run` of a WRITE AND VERIFY. */
export function writeAndVerify({ get, pointer }: VerifyCdb): Command['run'] {
  return (cdb, offset, _context, lu) => {
    if (get.protect(cdb, offset) !== 0) return invalidFieldInCdb(pointer.protect)
    const byteCheck = get.byteCheck(cdb, offset)
    if (byteCheck !== 0 && byteCheck !== 1) return invalidFieldInCdb(pointer.byteCheck)
    if (lu.readOnly) return checkCondition(senseCodes.writeProtected)
    const lba = get.logicalBlockAddress(cdb, offset)
    const blocks = get.verificationLength(cdb, offset)
    const fault = tooLong(lu, blocks, pointer.verificationLength) ?? outOfRange(cdb, offset, lu, lba, blocks)
    if (fault !== undefined) return fault
    return blocks === 0 ? good : { kind: 'writeAndVerify', lba, blocks, byteCheck }
  }
}

const row = { direction: 'out', reserved: 'asWrite', needsMedium: true } as const

/** Their rows of the command table. */
export const writesAndVerifies: Readonly<Record<number, TableEntry>> = {
  0x2e: { name: 'WRITE AND VERIFY(10)', spec: 'SBC-3 §5.37', cdb: verify10, ...row, run: writeAndVerify(verify10) },
  0x8e: { name: 'WRITE AND VERIFY(16)', spec: 'SBC-3 §5.39', cdb: verify16, ...row, run: writeAndVerify(verify16) },
  0xae: { name: 'WRITE AND VERIFY(12)', spec: 'SBC-3 §5.38', cdb: verify12, ...row, run: writeAndVerify(verify12) },
}
