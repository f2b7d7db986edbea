// The commands of third-party copy [SPC-4 §6.5, §6.20-6.26; SBC-3 §5.7, §5.22, §5.48] as rows of the command table. What their parameter
// lists and parameter data hold stands in ../copy. Left out: EXTENDED COPY(LID4), held data, COPY OPERATION ABORT, lists of all tokens.

import { bits, u8, u32 } from '@scsipub/bytes'
import type { Cdb } from '../cdb.js'
import { cdb } from '../cdb.js'
import type { Command, TableEntry } from '../command.js'
import { operatingParameters } from '../copy/copy-results.js'
import { extendedCopyHeader, extendedCopyList } from '../copy/extended-copy-list.js'
import { MAX_DESCRIPTOR_LIST_BYTES } from '../copy/limits.js'
import {
  MAX_TOKEN_LIST_BYTES,
  populateTokenHeader,
  populateTokenList,
  writeUsingTokenHeader,
  writeUsingTokenList,
} from '../copy/token-lists.js'
import type { LogicalUnit } from '../logical-unit.js'
import type { Outcome } from '../outcome.js'
import { checkCondition, dataIn, good } from '../outcome.js'
import { senseCodes } from '../sense-codes.js'

const serviceAction = bits(1, 0, 5)
const receiveFields = { serviceAction, listIdentifier: u8(2), allocationLength: u32(10) }
const extendedCopyCdb = cdb(16, { serviceAction, parameterListLength: u32(10) })
const tokenCdb = cdb(
  16,
  { serviceAction, listIdentifier: u32(6), parameterListLength: u32(10), groupNumber: bits(14, 0, 5) },
  ['groupNumber'],
)
const receiveCdb = cdb(16, receiveFields)
/** Earlier standards had a LIST IDENTIFIER here that meant nothing [SPC-3 §6.17.4]. */
const receiveParametersCdb = cdb(16, receiveFields, ['listIdentifier'])
const receiveTokenCdb = cdb(16, { serviceAction, listIdentifier: u32(2), allocationLength: u32(10) })

/** Fetches a parameter list: an empty one asks for nothing, one of a length that cannot be is refused [SPC-4 §6.5.1]. */
function parameterList(bytes: number, least: number, most: number, apply: (data: Buffer) => Outcome): Outcome {
  if (bytes === 0) return good
  if (bytes < least || bytes > most) return checkCondition(senseCodes.parameterListLengthError)
  return { kind: 'parameterOut', lengthBytes: bytes, apply }
}

const extendedCopy: Command['run'] = (buffer, offset) =>
  parameterList(
    extendedCopyCdb.get.parameterListLength(buffer, offset),
    extendedCopyHeader.size,
    extendedCopyHeader.size + MAX_DESCRIPTOR_LIST_BYTES,
    extendedCopyList,
  )

function tokenCommand(
  least: number,
  list: (data: Buffer, listIdentifier: number, lu: LogicalUnit) => Outcome,
): Command['run'] {
  return (buffer, offset, _context, lu) => {
    const listIdentifier = tokenCdb.get.listIdentifier(buffer, offset)
    const bytes = tokenCdb.get.parameterListLength(buffer, offset)
    return parameterList(bytes, least, MAX_TOKEN_LIST_BYTES, data => list(data, listIdentifier, lu))
  }
}

const populateToken = tokenCommand(populateTokenHeader.size, populateTokenList)
const writeToken = tokenCommand(writeUsingTokenHeader.size, writeUsingTokenList)

const writeUsingToken: Command['run'] = (buffer, offset, context, lu) =>
  lu.readOnly ? checkCondition(senseCodes.writeProtected) : writeToken(buffer, offset, context, lu)

function results(what: 'status' | 'failure' | 'token', layout: Cdb<typeof receiveFields>): Command['run'] {
  return (buffer, offset) => ({
    kind: 'copyResults',
    what,
    listIdentifier: layout.get.listIdentifier(buffer, offset),
    allocationLength: layout.get.allocationLength(buffer, offset),
    field: layout.pointer.listIdentifier,
  })
}

const onMedium = { needsMedium: true } as const
const offMedium = { needsMedium: false } as const

/** By operation code. Page 8Fh lists these commands, so it reads them here. */
export const thirdPartyCopyCommands = {
  0x83: {
    name: 'THIRD-PARTY COPY OUT',
    serviceActions: {
      0x00: {
        name: 'EXTENDED COPY(LID1)',
        spec: 'SPC-4 §6.5',
        cdb: extendedCopyCdb,
        direction: 'out',
        reserved: 'asWrite',
        ...onMedium,
        run: extendedCopy,
      },
      0x10: {
        name: 'POPULATE TOKEN',
        spec: 'SBC-3 §5.7',
        cdb: tokenCdb,
        direction: 'out',
        reserved: 'asRead',
        ...onMedium,
        run: populateToken,
      },
      0x11: {
        name: 'WRITE USING TOKEN',
        spec: 'SBC-3 §5.48',
        cdb: tokenCdb,
        direction: 'out',
        reserved: 'asWrite',
        ...onMedium,
        run: writeUsingToken,
      },
    },
  },
  0x84: {
    name: 'THIRD-PARTY COPY IN',
    serviceActions: {
      0x00: {
        name: 'RECEIVE COPY STATUS(LID1)',
        spec: 'SPC-4 §6.23',
        cdb: receiveCdb,
        direction: 'in',
        reserved: 'asWrite',
        ...offMedium,
        run: results('status', receiveCdb),
      },
      0x03: {
        name: 'RECEIVE COPY OPERATING PARAMETERS',
        spec: 'SPC-4 §6.20',
        cdb: receiveParametersCdb,
        direction: 'in',
        reserved: 'asWrite',
        ...offMedium,
        run: (buffer, offset) =>
          dataIn(operatingParameters(), receiveParametersCdb.get.allocationLength(buffer, offset)),
      },
      0x04: {
        name: 'RECEIVE COPY FAILURE DETAILS(LID1)',
        spec: 'SPC-4 §6.21',
        cdb: receiveCdb,
        direction: 'in',
        reserved: 'asWrite',
        ...offMedium,
        run: results('failure', receiveCdb),
      },
      0x07: {
        name: 'RECEIVE ROD TOKEN INFORMATION',
        spec: 'SBC-3 §5.22',
        cdb: receiveTokenCdb,
        direction: 'in',
        reserved: 'asRead',
        ...offMedium,
        run: results('token', receiveTokenCdb),
      },
    },
  },
} as const satisfies Readonly<Record<number, TableEntry>>
