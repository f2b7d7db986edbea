// Layouts: what is written is what is read, whatever the values, the place and the bytes that lie around.

import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import type { Decoded } from './index.js'
import { bit, bits, bytes, layout, u8, u16, u24, u32, u64 } from './index.js'

const sample = layout(28, {
  flag: bit(0, 7),
  low: bits(0, 0, 6),
  byte: u8(1),
  short: u16(2),
  three: u24(4),
  word: u32(8),
  long: u64(12),
  raw: bytes(20, 6),
})

const values: fc.Arbitrary<Decoded<typeof sample>> = fc.record(
  {
    flag: fc.boolean(),
    low: fc.nat(0x3f),
    byte: fc.nat(0xff),
    short: fc.nat(0xffff),
    three: fc.nat(0xffffff),
    word: fc.integer({ min: 0, max: 0xffffffff }),
    long: fc.bigInt({ min: 0n, max: 0xffffffffffffffffn }),
    raw: fc.uint8Array({ minLength: 6, maxLength: 6 }).map(array => Buffer.from(array)),
  },
  { noNullPrototype: true },
)

t.test('a value survives encode and decode at any offset, and no neighbour is touched', async t => {
  fc.assert(
    fc.property(values, fc.nat(40), fc.nat(255), (value, offset, filling) => {
      const buffer = Buffer.alloc(28 + 80, filling)
      sample.encode(value, buffer, offset)
      assert.deepEqual(sample.decode(buffer, offset), value)
      const outside = Buffer.concat([buffer.subarray(0, offset), buffer.subarray(offset + 28)])
      assert.ok(outside.every(byte => byte === filling))
    }),
  )
  t.pass('holds for every case')
})

t.test('single accessors agree with decode, and setting one field changes no other', async t => {
  fc.assert(
    fc.property(values, values, (before, after) => {
      const buffer = sample.encode(before)
      sample.set.flag(buffer, 0, after.flag)
      sample.set.low(buffer, 0, after.low)
      sample.set.three(buffer, 0, after.three)
      sample.set.long(buffer, 0, after.long)
      assert.deepEqual(sample.decode(buffer), {
        ...before,
        flag: after.flag,
        low: after.low,
        three: after.three,
        long: after.long,
      })
      assert.equal(sample.get.word(buffer, 0), before.word)
      assert.equal(sample.get.short(buffer, 0), before.short)
      assert.deepEqual(sample.get.raw(buffer, 0), before.raw)
    }),
  )
  t.pass('holds for every case')
})
