// SANITIZE [SBC-3 §5.24]: makes all data of the unit unreadable, in the background if wanted.
//
// Block erase and cryptographic erase come to the same here: every block is deallocated and reads as zeros, also where an image shone
// through. Overwrite writes a pattern over every block, which maps them all; its list is
//
//   0    INVERT | TEST (2 bits) | OVERWRITE COUNT (5 bits)
//   2-3  INITIALIZATION PATTERN LENGTH
//   4-   INITIALIZATION PATTERN
//
// Left out: TEST, which is vendor specific and refused, and zones (ZNR).

import { bit, bits, layout, u16 } from '@scsipub/bytes'
import { cdb } from '../cdb.js'
import type { Command } from '../command.js'
import type { LogicalUnit } from '../logical-unit.js'
import type { Outcome } from '../outcome.js'
import { checkCondition, invalidFieldInCdb } from '../outcome.js'
import type { SanitizeMethod } from '../provision-operation.js'
import { senseCodes } from '../sense-codes.js'

export const sanitizeCdb = cdb(10, {
  immed: bit(1, 7),
  ause: bit(1, 5),
  serviceAction: bits(1, 0, 5),
  parameterListLength: u16(7),
})
export const overwriteList = layout(4, {
  invert: bit(0, 7),
  test: bits(0, 5, 2),
  overwriteCount: bits(0, 0, 5),
  initializationPatternLength: u16(2),
})

const { get, pointer } = sanitizeCdb

function begin(cdb: Buffer, offset: number, method: SanitizeMethod): Outcome {
  const immediate = get.immed(cdb, offset)
  return { kind: 'provision', operation: { name: 'sanitize', method, immediate, allowExit: get.ause(cdb, offset) } }
}

/** BLOCK ERASE and CRYPTOGRAPHIC ERASE, which have no parameter list [SBC-3 §5.24.2.3, §5.24.2.4]. */
export function sanitizeErase(kind: 'blockErase' | 'cryptographicErase'): Command['run'] {
  return (cdb, offset, _context, lu) => {
    if (get.parameterListLength(cdb, offset) !== 0) return invalidFieldInCdb(pointer.parameterListLength)
    return lu.readOnly ? checkCondition(senseCodes.writeProtected) : begin(cdb, offset, { kind })
  }
}

/** OVERWRITE [SBC-3 §5.24.2.2]. */
export const sanitizeOverwrite: Command['run'] = (cdb, offset, _context, lu) => {
  const lengthBytes = get.parameterListLength(cdb, offset)
  // A header and a pattern of one byte to one block.
  if (lengthBytes <= overwriteList.size || lengthBytes > overwriteList.size + lu.blockBytes)
    return invalidFieldInCdb(pointer.parameterListLength)
  if (lu.readOnly) return checkCondition(senseCodes.writeProtected)
  // The CDB is gone when the list is there.
  const own = Buffer.from(cdb.subarray(offset, offset + sanitizeCdb.size))
  return {
    kind: 'parameterOut',
    lengthBytes,
    apply: list => {
      if (list.length < lengthBytes) return checkCondition(senseCodes.parameterListLengthError)
      const method = overwriteMethod(list, lu)
      return method.kind === 'overwrite' ? begin(own, 0, method) : method
    },
  }
}

function overwriteMethod(list: Buffer, lu: LogicalUnit): Extract<SanitizeMethod, { kind: 'overwrite' }> | Outcome {
  const { invert, test, overwriteCount, initializationPatternLength } = overwriteList.decode(list)
  if (test !== 0) return invalidList(0, 6)
  if (overwriteCount === 0) return invalidList(0, 4)
  if (initializationPatternLength === 0 || initializationPatternLength !== list.length - overwriteList.size)
    return invalidList(2, 7)
  const block = Buffer.alloc(lu.blockBytes, list.subarray(overwriteList.size))
  const inverted = Buffer.from(block.map(byte => ~byte))
  // Each pass is the inversion of the one before, and the last one is the pattern [SBC-3 §5.24.2.2].
  const passes = Array.from({ length: overwriteCount }, (_, pass) =>
    invert && (overwriteCount - 1 - pass) % 2 === 1 ? inverted : block,
  )
  return { kind: 'overwrite', passes }
}

function invalidList(byte: number, bit: number): Outcome {
  return checkCondition(senseCodes.invalidFieldInParameterList, { field: { in: 'parameterList', byte, bit } })
}

/** EXIT FAILURE MODE [SBC-3 §5.24.2.5]. */
export const sanitizeExitFailureMode: Command['run'] = (cdb, offset, _context, lu) => {
  if (get.parameterListLength(cdb, offset) !== 0) return invalidFieldInCdb(pointer.parameterListLength)
  if (lu.readOnly) return checkCondition(senseCodes.writeProtected)
  return { kind: 'provision', operation: { name: 'exitSanitizeFailure' } }
}
