// Binary values of the text format [7143 §6.1]: `0x` and hexadecimal digits, or `0b` and base64 [4648 §4].
//
// A length is checked before anything is decoded, and only the one right spelling of some bytes is taken: whole bytes in
// hexadecimal, padding and zero bits at the end in base64.

const HEX = /^0[xX](?:[0-9a-fA-F]{2})+$/
const BASE64 = /^0[bB](?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)$/

/** Longest text that `maxBytes` can have: hexadecimal is the longer form. */
export function binaryTextLength(maxBytes: number): number {
  return 2 + 2 * maxBytes
}

/** The bytes of a value, 1 to `maxBytes`; undefined when it is no binary value, or a longer one. */
export function parseBinary(text: string, maxBytes: number): Buffer | undefined {
  if (text.length > binaryTextLength(maxBytes)) return undefined
  const digits = text.slice(2)
  if (HEX.test(text)) return Buffer.from(digits, 'hex')
  if (!BASE64.test(text)) return undefined
  const bytes = Buffer.from(digits, 'base64')
  return bytes.length <= maxBytes && bytes.toString('base64') === digits ? bytes : undefined
}
