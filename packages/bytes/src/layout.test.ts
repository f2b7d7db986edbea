// Layouts: byte order, zero filling, and the mistakes that are refused.

import t from 'tap'
import { bit, bits, bytes, layout, u8, u16, u24, u32, u64 } from './index.js'

t.test('every number has its most significant byte first', async t => {
  const all = layout(19, { a: u8(0), b: u16(1), c: u24(3), d: u32(6), e: u64(10), f: bit(18, 7), g: bits(18, 2, 3) })
  const buffer = all.encode({
    a: 0x01,
    b: 0x0203,
    c: 0x040506,
    d: 0xf708090a,
    e: 0xfb0c0d0e0f101112n,
    f: true,
    g: 0b101,
  })
  t.equal(buffer.toString('hex'), '010203040506f708090afb0c0d0e0f10111294')
  t.same(all.decode(buffer), { a: 1, b: 0x0203, c: 0x040506, d: 0xf708090a, e: 0xfb0c0d0e0f101112n, f: true, g: 5 })
})

t.test('encode zeroes what is not named', async t => {
  const two = layout(4, { first: u8(0), last: u8(3) })
  t.same(two.encode({ last: 7 }, Buffer.alloc(6, 0xff), 1), Buffer.from([0xff, 0, 0, 0, 7, 0xff]))
  t.same(two.encode({}), Buffer.alloc(4))
})

t.test('a byte field is a view, and a short value is padded with zeros', async t => {
  const raw = layout(6, { name: bytes(1, 4) })
  const buffer = raw.encode({ name: Buffer.from('ab') })
  t.equal(buffer.toString('hex'), '006162000000')
  raw.decode(buffer).name[0] = 0x7a
  t.equal(buffer[1], 0x7a)
})

t.test('refused: a value too large for its field, a buffer too small, a field outside of the structure', async t => {
  const one = layout(4, { nibble: bits(0, 4, 4), three: u24(1) })
  t.throws(() => one.encode({ nibble: 16 }), /nibble/)
  t.throws(() => one.encode({ three: 0x1000000 }), /three/)
  t.throws(() => one.encode({ three: -1 }), /three/)
  t.throws(() => one.decode(Buffer.alloc(8), 5), RangeError)
  t.throws(() => one.encode({}, Buffer.alloc(3)), RangeError)
  t.throws(() => layout(4, { word: u32(1) }), /word/)
  t.throws(() => bits(0, 5, 4), RangeError)
  t.throws(() => bit(0, 8), RangeError)
})
