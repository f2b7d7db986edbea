// The framer: pieces of any size, flipped bits, pauses, and bytes that are no PDUs at all.

import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import type { Digests, FramerFault } from './index.js'
import { Framer, header, opcodeName, wholePdu } from './index.js'

interface Sample {
  readonly opcode: number
  readonly ahs: Buffer
  readonly data: Buffer
}
interface Seen {
  readonly header: string
  readonly ahs: string
  readonly data: string
  readonly dataDigestOk: boolean
}

const LIMITS = { maxDataSegmentLength: 600, maxAhsLength: 64 }

const sample: fc.Arbitrary<Sample> = fc.record({
  opcode: fc.nat(0x3f),
  ahs: fc.nat(16).map(words => Buffer.alloc(words * 4, words)),
  data: fc.uint8Array({ maxLength: 600 }).map(array => Buffer.from(array)),
})
const digests: fc.Arbitrary<Digests> = fc.record({ header: fc.boolean(), data: fc.boolean() })
const cuts = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 40 })

/** Noise, of which some looks enough like a header for its lengths to lie around the limits. */
const noise = fc
  .tuple(fc.uint8Array({ minLength: 7, maxLength: 400 }), fc.boolean(), fc.nat(0xff))
  .map(([array, mild, length]) => {
    const bytes = Buffer.from(array)
    if (mild) bytes.set([length & 0x1f, 0, length & 0x03], 4)
    return bytes
  })

function wire(pdu: Sample, digests: Digests): Buffer {
  return wholePdu(Buffer.concat([header.encode({ opcode: pdu.opcode }), pdu.ahs]), pdu.data, digests)
}

/** Collects copies of what is handed out; `pauseAt` says for which of the PDUs it pauses. */
function collector(seen: Seen[], pauseAt: (index: number) => boolean = () => false) {
  return (buffer: Buffer, at: number, dataAt: number, length: number, dataDigestOk: boolean): boolean => {
    const ahsLength = header.get.totalAhsLength(buffer, at) * 4
    seen.push({
      header: buffer.toString('hex', at, at + 48),
      ahs: buffer.toString('hex', at + 48, at + 48 + ahsLength),
      data: buffer.toString('hex', dataAt, dataAt + length),
      dataDigestOk,
    })
    return !pauseAt(seen.length - 1)
  }
}

/** Pushes `stream` in pieces through one receive buffer, overwritten after each push as a socket would do. */
function pushInPieces(framer: Framer, stream: Buffer, sizes: readonly number[], seen: Seen[]): FramerFault | undefined {
  const receive = Buffer.alloc(256)
  let fault: FramerFault | undefined
  for (let at = 0, turn = 0; at < stream.length && !fault; turn += 1) {
    const size = Math.min(sizes[turn % sizes.length] ?? 1, stream.length - at)
    stream.copy(receive, 3, at, at + size)
    fault = framer.push(receive, 3, 3 + size, collector(seen))
    receive.fill(0xee)
    at += size
  }
  return fault
}

const expected = (pdu: Sample, digests: Digests): Seen => {
  const bytes = wire(pdu, digests)
  return {
    header: bytes.toString('hex', 0, 48),
    ahs: pdu.ahs.toString('hex'),
    data: pdu.data.toString('hex'),
    dataDigestOk: true,
  }
}

t.test('any chunking gives the same PDUs [7143 §11.1]', async t => {
  fc.assert(
    fc.property(fc.array(sample, { maxLength: 8 }), digests, cuts, (pdus, digests, sizes) => {
      const framer = new Framer(LIMITS)
      framer.setDigests(digests)
      const seen: Seen[] = []
      const stream = Buffer.concat(pdus.map(pdu => wire(pdu, digests)))
      assert.equal(pushInPieces(framer, stream, sizes, seen), undefined)
      assert.deepEqual(
        seen,
        pdus.map(pdu => expected(pdu, digests)),
      )
      assert.equal(framer.pendingBytes, 0)

      const atOnce: Seen[] = []
      const other = new Framer(LIMITS)
      other.setDigests(digests)
      other.push(stream, 0, stream.length, collector(atOnce))
      assert.deepEqual(atOnce, seen)
    }),
  )
  t.pass('holds for every case')
})

t.test('one flipped bit with digests on is a named fault or a marked data segment [7143 §13.1]', async t => {
  const on = { header: true, data: true }
  fc.assert(
    fc.property(sample, fc.nat(), cuts, (pdu, place, sizes) => {
      const bytes = wire(pdu, on)
      const bit = place % (bytes.length * 8)
      bytes[bit >>> 3] = bytes[bit >>> 3]! ^ (1 << (bit & 7))
      const framer = new Framer({ ...LIMITS, maxAhsLength: 1020 })
      framer.setDigests(on)
      const seen: Seen[] = []
      // More follows, so that a length that became larger cannot wait for ever.
      const fault = pushInPieces(framer, Buffer.concat([bytes, Buffer.alloc(2000)]), sizes, seen)
      const headers = 48 + pdu.ahs.length + 4
      if (bit >>> 3 < headers) {
        assert.equal(fault?.why, 'header digest mismatch')
        assert.equal(seen.length, 0)
      } else {
        assert.equal(seen[0]?.dataDigestOk, false)
      }
    }),
  )
  t.pass('holds for every case')
})

t.test('a pause keeps every byte, and another framer can go on with the rest', async t => {
  fc.assert(
    fc.property(
      fc.array(sample, { minLength: 1, maxLength: 6 }),
      digests,
      cuts,
      fc.nat(5),
      (pdus, digests, sizes, stop) => {
        const stream = Buffer.concat(pdus.map(pdu => wire(pdu, digests)))
        const first = new Framer(LIMITS)
        first.setDigests(digests)
        const seen: Seen[] = []
        const pausing = collector(seen, index => index === stop)
        for (let at = 0, turn = 0; at < stream.length; turn += 1) {
          const end = Math.min(at + (sizes[turn % sizes.length] ?? 1), stream.length)
          const chunk = Buffer.from(stream.subarray(at, end))
          first.push(chunk, 0, chunk.length, pausing)
          chunk.fill(0xee)
          at = end
        }
        assert.equal(seen.length, Math.min(stop + 1, pdus.length))
        assert.equal(first.pendingBytes, first.rest().length)

        const second = new Framer(LIMITS)
        second.setDigests(digests)
        const handedOver = [...seen]
        const rest = first.rest()
        second.push(rest, 0, rest.length, collector(handedOver))
        first.resume(collector(seen))
        assert.deepEqual(
          seen,
          pdus.map(pdu => expected(pdu, digests)),
        )
        assert.deepEqual(handedOver, seen)
      },
    ),
  )
  t.pass('holds for every case')
})

t.test('random bytes never throw and never make it allocate above the limits', async t => {
  const original = Buffer.allocUnsafe
  let largest = 0
  t.teardown(() => {
    Buffer.allocUnsafe = original
  })
  Buffer.allocUnsafe = size => {
    largest = Math.max(largest, size)
    return original(size)
  }
  fc.assert(
    fc.property(fc.array(noise, { maxLength: 6 }), digests, cuts, (pieces, digests, sizes) => {
      const framer = new Framer(LIMITS)
      framer.setDigests(digests)
      const seen: Seen[] = []
      const fault = pushInPieces(framer, Buffer.concat(pieces), sizes, seen)
      if (fault) {
        assert.match(fault.why, /header|segment/)
        assert.equal(framer.push(Buffer.alloc(48), 0, 48, collector(seen)), fault)
      }
      for (const one of seen) assert.ok(opcodeName(Number.parseInt(one.header.slice(0, 2), 16) & 0x3f).length > 0)
    }),
    { numRuns: 500 },
  )
  t.ok(largest > 48, 'the allocations were seen')
  t.ok(largest <= 48 + LIMITS.maxAhsLength + 4 + LIMITS.maxDataSegmentLength + 4, `largest was ${largest}`)
})

t.test('a long rest received in place gives the same PDUs as one that is pushed', async t => {
  const long = fc.record({
    opcode: fc.nat(0x3f),
    ahs: fc.constant(Buffer.alloc(0)),
    data: fc
      .tuple(fc.integer({ min: 0, max: 70_000 }), fc.nat(0xff))
      .map(([length, fill]) => Buffer.alloc(length, fill)),
  })
  const sizes = fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1, maxLength: 20 })
  const pauses = fc.func(fc.boolean())
  let inPlace = 0
  fc.assert(
    fc.property(fc.array(long, { maxLength: 6 }), digests, sizes, pauses, (pdus, digests, sizes, pauses) => {
      const framer = new Framer({ maxDataSegmentLength: 70_000, maxAhsLength: 0 })
      framer.setDigests(digests)
      const seen: Seen[] = []
      const sink = collector(seen, index => pauses(index))
      const stream = Buffer.concat(pdus.map(pdu => wire(pdu, digests)))
      for (let at = 0, turn = 0; at < stream.length; turn += 1) {
        const { room } = framer
        const size = Math.min(sizes[turn % sizes.length] ?? 1, stream.length - at, room?.length ?? Infinity)
        if (room) {
          stream.copy(room, 0, at, at + size)
          assert.equal(framer.received(size, sink), undefined)
          inPlace += 1
        } else assert.equal(framer.push(stream, at, at + size, sink), undefined)
        at += size
        while (framer.paused) assert.equal(framer.resume(sink), undefined)
      }
      assert.deepEqual(
        seen,
        pdus.map(pdu => expected(pdu, digests)),
      )
      assert.equal(framer.pendingBytes, 0)
    }),
    { numRuns: 60 },
  )
  t.ok(inPlace > 20, `${inPlace} pieces were received in place`)
})
