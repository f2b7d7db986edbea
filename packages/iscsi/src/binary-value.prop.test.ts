// Binary values of the text format [7143 §6.1]: every spelling of the bytes that is right, and none that is not.

import fc from 'fast-check'
import t from 'tap'
import { binaryTextLength, parseBinary } from './binary-value.js'

t.test('hexadecimal and base64 in either case of the prefix give the bytes back [7143 §6.1]', async t => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 64 }), fc.boolean(), (array, upper) => {
      const bytes = Buffer.from(array)
      const hex = bytes.toString('hex')
      for (const text of [
        `0${upper ? 'X' : 'x'}${upper ? hex.toUpperCase() : hex}`,
        `0${upper ? 'B' : 'b'}${bytes.toString('base64')}`,
      ]) {
        t.ok(parseBinary(text, 64)?.equals(bytes), text)
        t.equal(parseBinary(text, bytes.length - 1), undefined, 'one byte too long')
      }
    }),
    { numRuns: 50 },
  )
})

const wrong: readonly [what: string, text: string][] = [
  ['nothing', ''],
  ['a prefix alone', '0x'],
  ['a prefix of base64 alone', '0b'],
  ['an odd number of hexadecimal digits', '0x123'],
  ['digits without prefix', '1234'],
  ['letters that are no digits', '0x12gg'],
  ['a space', '0x12 34'],
  ['a line end', '0x1234\n'],
  ['a second prefix', '0x0x12'],
  ['base64 without padding', '0bQQ'],
  ['base64 with too much padding', '0bQQ==='],
  ['base64 with padding inside', '0bQQ==QQ=='],
  ['base64 of a single digit', '0bQ'],
  ['base64 with bits behind the end', '0bQR=='],
  ['base64 of the other alphabet', '0b_-8='],
  ['padding alone', '0b===='],
]
for (const [what, text] of wrong) {
  t.test(`no binary value: ${what} [7143 §6.1]`, async t => t.equal(parseBinary(text, 1024), undefined))
}

t.test('a text that is too long is not even looked at', async t => {
  t.equal(binaryTextLength(1024), 2050)
  t.equal(parseBinary(`0x${'00'.repeat(1024)}`, 1024)?.length, 1024)
  t.equal(parseBinary(`0x${'00'.repeat(1025)}`, 1024), undefined)
  t.equal(parseBinary(`0b${Buffer.alloc(1025).toString('base64')}`, 1024), undefined)
})
