// The text format of login and text PDUs: `key=value` pairs, each ended by a zero byte [7143 §6.1].
//
// Everything a stranger sends is bounded here: number of pairs, length of keys and values. What a key means is left to
// keys.ts; the bytes of a text that comes in several PDUs are gathered by text-assembler.ts.

import { binaryTextLength } from './binary-value.js'
import { MAX_CHAP_BYTES } from './chap/algorithms.js'

/** One `key=value` pair, in the order of the text. */
export interface TextPair {
  readonly key: string
  readonly value: string
}

export interface TextLimits {
  /** Most pairs in one text. */
  readonly maxPairs: number
  /** Longest value of a key, in bytes. */
  readonly valueLimit: (key: string) => number
  /** Whether a key may come again with another value, as TargetName does in the answer to SendTargets. */
  readonly repeats: boolean
}

/** The text is not what the standard allows. In a login this is an initiator error, elsewhere a protocol error. */
export interface TextFault {
  readonly kind: 'textFault'
  readonly why: string
}

/** A standard-label, or an X- or X# key [7143 §6.1, §13.22]. It begins with a capital, but iSCSIProtocolLevel does not. */
const KEY = /^[A-Za-z][A-Za-z0-9.\-+@_#]{0,62}$/
const VALUE_LIMIT = 255
const BINARY_VALUE_LIMIT = binaryTextLength(MAX_CHAP_BYTES)
const BINARY_KEYS: readonly string[] = ['CHAP_C', 'CHAP_R']
const utf8 = new TextDecoder('utf-8', { fatal: true })

/** Longest value in bytes: 255, and for the binary values of CHAP what 1024 bytes take in hexadecimal [7143 §6.1, §12.1.3]. */
export function valueLimit(key: string): number {
  return BINARY_KEYS.includes(key) ? BINARY_VALUE_LIMIT : VALUE_LIMIT
}

/** What we take from an initiator. */
export const REQUEST_LIMITS: TextLimits = { maxPairs: 64, valueLimit, repeats: false }

/**
 * Reads a whole text. A key that comes twice with the same value is one pair (libiscsi sends InitiatorName again).
 * Empty pairs and a missing last zero byte are tolerated: some initiators count the padding, some forget the end.
 */
export function parseText(text: Buffer, limits: TextLimits = REQUEST_LIMITS): TextPair[] | TextFault {
  const pairs: TextPair[] = []
  const seen = new Map<string, string>()
  for (let at = 0; at < text.length; ) {
    const zero = text.indexOf(0, at)
    const end = zero < 0 ? text.length : zero
    if (end > at) {
      const pair = parsePair(text.subarray(at, end), limits)
      if (typeof pair === 'string') return fault(pair)
      const before = limits.repeats ? undefined : seen.get(pair.key)
      if (before === undefined) {
        if (pairs.length === limits.maxPairs) return fault(`more than ${limits.maxPairs} keys`)
        pairs.push(pair)
        seen.set(pair.key, pair.value)
      } else if (before !== pair.value) return fault(`${pair.key} twice with different values [7143 §6.2]`)
    }
    at = end + 1
  }
  return pairs
}

/** The text of some pairs, each with its zero byte, without padding. */
export function encodeText(pairs: readonly TextPair[]): Buffer {
  return Buffer.from(pairs.map(({ key, value }) => `${key}=${value}\0`).join(''), 'utf8')
}

function parsePair(bytes: Buffer, limits: TextLimits): TextPair | string {
  const equals = bytes.indexOf(0x3d)
  if (equals < 0) return 'a pair without "=" [7143 §6.1]'
  if (equals > 63) return 'a key of more than 63 bytes [7143 §6.1]'
  const key = bytes.toString('latin1', 0, equals)
  if (!KEY.test(key)) return 'a key that is no standard-label [7143 §6.1]'
  const raw = bytes.subarray(equals + 1)
  const limit = limits.valueLimit(key)
  if (raw.length > limit) return `a value of ${key} of more than ${limit} bytes [7143 §6.1]`
  try {
    return { key, value: utf8.decode(raw) }
  } catch {
    return `a value of ${key} that is not UTF-8 [7143 §6.1]`
  }
}

function fault(why: string): TextFault {
  return { kind: 'textFault', why }
}
