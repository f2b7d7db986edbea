// ROD tokens: 512 bytes that stand for data [SPC-4 §5.17.6, SBC-3 §4.28]. A token that we make is of the type "point in time copy –
// default": it stands for the data as it was, whatever is written afterwards. Nothing of it can be guessed, and nothing in it is believed
// until the very same 512 bytes were found among the tokens that exist.
//
//   0-3     ROD TYPE                                96-127   block device: block length, and the rest of READ CAPACITY(16)
//   6-7     ROD TOKEN LENGTH (01F8h)                128-163  target device descriptor (not given: zero)
//   8-15    COPY MANAGER ROD TOKEN IDENTIFIER       164-511  random
//   16-47   creator: CSCD descriptor E4h of the unit
//   48-63   NUMBER OF BYTES REPRESENTED
//
// Left out: other types of tokens, tokens of other copy managers, and management tokens.

import { bytes, layout, u8, u16, u24, u32, u64 } from '@scsipub/bytes'
import type { SenseCode } from '../sense-codes.js'
import { senseCodes } from '../sense-codes.js'

export const ROD_TOKEN_BYTES = 512
/** Types of tokens [SPC-4 §5.17.6.2]: ours, and the well known one that stands for zeros [SBC-3 §4.28.4]. */
export const rodTypes = { pointInTimeCopy: 0x0080_0000, blockDeviceZero: 0xffff_0001 } as const
/** Random bytes that a new token takes: its identifier and its end. */
export const ROD_TOKEN_RANDOM_BYTES = 8 + 348

const TOKEN_LENGTH = ROD_TOKEN_BYTES - 8
const DESIGNATION_BYTES = 24
const RANDOM_AT = 164

const tokenLayout = layout(ROD_TOKEN_BYTES, {
  rodType: u32(0),
  rodTokenLength: u16(6),
  identifier: bytes(8, 8),
  creatorType: u8(16),
  creatorDesignation: bytes(20, DESIGNATION_BYTES),
  creatorDesignatorLength: u8(23),
  creatorBlockLength: u24(45),
  bytesRepresented: u64(56),
  blockLength: u32(96),
  random: bytes(RANDOM_AT, ROD_TOKEN_BYTES - RANDOM_AT),
})

/** A token as a command brings it. `creator`: the designation descriptor of the unit whose data it stands for. */
export type RodToken =
  | { readonly kind: 'zero' }
  | {
      readonly kind: 'data'
      readonly token: Buffer
      readonly creator: Buffer
      readonly blockBytes: number
      readonly bytes: number
    }

/**
 * Makes a token. `creator` is a designation descriptor of at most 24 bytes; `random` is ROD_TOKEN_RANDOM_BYTES from a source that nobody can
 * foretell.
 */
export function encodeRodToken(o: { creator: Buffer; blockBytes: number; bytes: number; random: Buffer }): Buffer {
  return tokenLayout.encode({
    rodType: rodTypes.pointInTimeCopy,
    rodTokenLength: TOKEN_LENGTH,
    identifier: o.random.subarray(0, 8),
    creatorType: 0xe4,
    creatorDesignation: o.creator,
    creatorDesignatorLength: o.creator.length - 4,
    creatorBlockLength: o.blockBytes,
    bytesRepresented: BigInt(o.bytes),
    blockLength: o.blockBytes,
    random: o.random.subarray(8),
  })
}

/** What 512 bytes claim to be, or the condition when no token of ours looks like that [SPC-4 §5.17.6.8]. They are copied. */
export function decodeRodToken(data: Buffer, offset = 0): RodToken | SenseCode {
  const token = tokenLayout.decode(Buffer.from(data.subarray(offset, offset + ROD_TOKEN_BYTES)))
  if (token.rodType !== rodTypes.pointInTimeCopy && token.rodType !== rodTypes.blockDeviceZero)
    return senseCodes.unsupportedTokenType
  if (token.rodTokenLength !== TOKEN_LENGTH) return senseCodes.invalidTokenLength
  if (token.rodType === rodTypes.blockDeviceZero) return { kind: 'zero' }
  const represented = token.bytesRepresented
  const designation = 4 + token.creatorDesignatorLength
  if (designation > DESIGNATION_BYTES || token.blockLength === 0 || represented > BigInt(Number.MAX_SAFE_INTEGER))
    return senseCodes.tokenUnknown
  return {
    kind: 'data',
    token: Buffer.from(data.subarray(offset, offset + ROD_TOKEN_BYTES)),
    creator: token.creatorDesignation.subarray(0, designation),
    blockBytes: token.blockLength,
    bytes: Number(represented),
  }
}
