// `key=value` pairs of login and text PDUs [7143 §6.1], as a test writes and reads them. It sends whatever it is told, and
// keeps the order and repetitions of what it receives.

export type TextPairs = readonly (readonly [key: string, value: string])[]
/** A plain object where no key comes twice. */
export type TextKeys = Readonly<Record<string, string>>

/** The bytes of the pairs, each with its zero byte. */
export function encodeKeys(keys: TextKeys | TextPairs): Buffer {
  const pairs: TextPairs = Array.isArray(keys) ? (keys as TextPairs) : Object.entries(keys as TextKeys)
  return Buffer.from(pairs.map(([key, value]) => `${key}=${value}\0`).join(''))
}

/**
 * All pairs of a text in their order.
 * @throws Error when it is not a row of pairs, each ended by a zero byte
 */
export function decodePairs(text: Buffer): TextPairs {
  if (text.length === 0) return []
  if (text.at(-1) !== 0) throw new Error('the text does not end with a zero byte [7143 §6.1]')
  return text
    .toString('utf8', 0, text.length - 1)
    .split('\0')
    .map(pair => {
      const equals = pair.indexOf('=')
      if (equals < 1) throw new Error(`"${pair}" is not a key=value pair [7143 §6.1]`)
      return [pair.slice(0, equals), pair.slice(equals + 1)] as const
    })
}

/** @throws Error when a key comes twice */
export function decodeKeys(text: Buffer): TextKeys {
  const pairs = decodePairs(text)
  const keys = Object.fromEntries(pairs)
  if (Object.keys(keys).length !== pairs.length) throw new Error(`a key comes twice: ${text.toString()}`)
  return keys
}
