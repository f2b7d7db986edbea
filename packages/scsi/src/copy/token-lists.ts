// The parameter lists of POPULATE TOKEN and WRITE USING TOKEN [SBC-3 §5.7, §5.48].
//
//         POPULATE TOKEN                                     WRITE USING TOKEN
//   0-1   length of what follows                       0-1   length of what follows
//   2     RTV, IMMED                                   2     DEL_TKN, IMMED
//   4-7   INACTIVITY TIMEOUT, seconds                  8-15  OFFSET INTO ROD, blocks
//   8-11  ROD TYPE, when RTV                           16    ROD TOKEN, 512 bytes
//   14-15 length of the range descriptors              534   length of the range descriptors
//   16    range descriptors: LBA (8), blocks (4), 4    536   range descriptors
//
// The last range descriptor is ignored when it is not whole, and one of no blocks names nothing.

import { bit, layout, u16, u32 } from '@scsipub/bytes'
import { lba64 } from '../cdb.js'
import type { LogicalUnit } from '../logical-unit.js'
import type { Outcome } from '../outcome.js'
import { checkCondition } from '../outcome.js'
import { senseCodes } from '../sense-codes.js'
import { type Ranges, rangeDescriptors } from './block-ranges.js'
import { TOKEN_INACTIVITY_TIMEOUT_S } from './limits.js'
import { decodeRodToken, rodTypes } from './rod-token.js'

export const populateTokenHeader = layout(16, {
  dataLength: u16(0),
  rtv: bit(2, 1),
  immed: bit(2, 0),
  inactivityTimeout: u32(4),
  rodType: u32(8),
  rangesLength: u16(14),
})

export const writeUsingTokenHeader = layout(536, {
  dataLength: u16(0),
  delTkn: bit(2, 1),
  immed: bit(2, 0),
  offsetIntoRod: lba64(8),
  rangesLength: u16(534),
})

const ROD_TOKEN_AT = 16
/** The longest list that a DATA LENGTH of two bytes can tell. */
export const MAX_TOKEN_LIST_BYTES = 0xffff + 2

function invalidAt(byte: number): Outcome {
  return checkCondition(senseCodes.invalidFieldInParameterList, { field: { in: 'parameterList', byte } })
}

/** The ranges behind a header of `headerBytes`, when all lengths agree with each other and with what came. */
function rangesOf(data: Buffer, headerBytes: number, lu: LogicalUnit): Ranges | Outcome {
  const dataLength = data.readUInt16BE(0)
  const rangesLength = data.readUInt16BE(headerBytes - 2)
  if (dataLength < headerBytes - 2 + 16) return invalidAt(0)
  if (dataLength + 2 > data.length) return checkCondition(senseCodes.parameterListLengthError)
  if (rangesLength < 16 || headerBytes + rangesLength > dataLength + 2) return invalidAt(headerBytes - 2)
  return rangeDescriptors(data, headerBytes, rangesLength, lu)
}

/** The token that a POPULATE TOKEN for `lu` asks for, or why it is refused. */
export function populateTokenList(data: Buffer, listIdentifier: number, lu: LogicalUnit): Outcome {
  if (data.length < populateTokenHeader.size) return checkCondition(senseCodes.parameterListLengthError)
  const header = populateTokenHeader.decode(data)
  const ranges = rangesOf(data, populateTokenHeader.size, lu)
  if ('kind' in ranges) return ranges
  if (header.inactivityTimeout > TOKEN_INACTIVITY_TIMEOUT_S) return invalidAt(4)
  if (header.rtv && header.rodType !== rodTypes.pointInTimeCopy) return invalidAt(8)
  const inactivityTimeoutS = header.inactivityTimeout || TOKEN_INACTIVITY_TIMEOUT_S
  const { immed: immediate } = header
  const listBytes = data.length
  return {
    kind: 'copy',
    job: { kind: 'populateToken', listIdentifier, listBytes, immediate, inactivityTimeoutS, ...ranges },
  }
}

/** The writing that a WRITE USING TOKEN to `lu` asks for, or why it is refused. Whether the token exists is not known here. */
export function writeUsingTokenList(data: Buffer, listIdentifier: number, lu: LogicalUnit): Outcome {
  if (data.length < writeUsingTokenHeader.size) return checkCondition(senseCodes.parameterListLengthError)
  const { immed: immediate, delTkn: deleteToken, offsetIntoRod } = writeUsingTokenHeader.decode(data)
  const ranges = rangesOf(data, writeUsingTokenHeader.size, lu)
  if ('kind' in ranges) return ranges
  const token = decodeRodToken(data, ROD_TOKEN_AT)
  if ('asc' in token) return checkCondition(token)
  const offsetBlocks = token.kind === 'zero' ? 0 : offsetIntoRod
  if (token.kind === 'data') {
    if (token.blockBytes !== lu.blockBytes) return checkCondition(senseCodes.invalidToken)
    if (offsetBlocks + ranges.totalBlocks > token.bytes / token.blockBytes) return invalidAt(8)
  }
  const listBytes = data.length
  return {
    kind: 'copy',
    job: { kind: 'writeUsingToken', listIdentifier, listBytes, immediate, deleteToken, token, offsetBlocks, ...ranges },
  }
}
