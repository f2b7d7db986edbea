// CRC32C against the published vectors [RFC 3720 B.4].

import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { crc32c, digestBytes, digestMatches } from './index.js'

const ascending = Buffer.from(Array.from({ length: 32 }, (_, index) => index))

t.test('the digests of RFC 3720 B.4, in their order on the wire', async t => {
  t.equal(digestBytes(Buffer.alloc(32)).toString('hex'), 'aa36918a')
  t.equal(digestBytes(Buffer.alloc(32, 0xff)).toString('hex'), '43aba862')
  t.equal(digestBytes(ascending).toString('hex'), '4e79dd46')
  t.equal(digestBytes(Buffer.from(ascending).reverse()).toString('hex'), '5cdb3f11')
  const read10 = Buffer.from(
    '01c00000000000000000000000000000' + '14000000000004000000001400000018' + '28000000000000000200000000000000',
    'hex',
  )
  t.equal(digestBytes(read10).toString('hex'), '563a96d9')
})

t.test('a checksum can be taken in pieces', async t => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(300), (array, cut) => {
      const whole = Buffer.from(array)
      assert.equal(crc32c(whole.subarray(cut), crc32c(whole.subarray(0, cut))), crc32c(whole))
    }),
  )
  t.pass('holds for every case')
})

t.test('one flipped bit is noticed', async t => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 100 }), fc.nat(), (array, place) => {
      const buffer = Buffer.from(array)
      const digest = digestBytes(buffer)
      assert.ok(digestMatches(buffer, digest, 0))
      const index = (place >>> 3) % buffer.length
      buffer[index] = buffer[index]! ^ (1 << (place & 7))
      assert.ok(!digestMatches(buffer, digest, 0))
    }),
  )
  t.pass('holds for every case')
})
