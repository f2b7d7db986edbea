// The framer: limits, zero copy, and when a change of digests takes effect.

import t from 'tap'
import { Framer, header, Opcode, padded, wholePdu } from './index.js'

const PDU = (dataLength: number, digests = { header: false, data: false }): Buffer =>
  wholePdu(header.encode({ opcode: Opcode.nopOut }), Buffer.alloc(dataLength, 0x61), digests)

t.test('a PDU that lies in the chunk is handed out in place', async t => {
  const framer = new Framer({ maxDataSegmentLength: 8192, maxAhsLength: 0 })
  const chunk = Buffer.concat([Buffer.alloc(5), PDU(7), PDU(0)])
  const seen: [boolean, number, number, number][] = []
  framer.push(chunk, 5, chunk.length, (buffer, at, dataAt, length) => {
    seen.push([buffer === chunk, at, dataAt, length])
    return true
  })
  t.same(seen, [
    [true, 5, 53, 7],
    [true, 61, 109, 0],
  ])
})

t.test(
  'a data segment above MaxRecvDataSegmentLength ends the stream before anything is allocated [7143 §13.12]',
  async t => {
    const framer = new Framer({ maxDataSegmentLength: 8, maxAhsLength: 0 })
    const pdu = PDU(9)
    t.match(
      framer.push(pdu, 0, 48, () => t.fail('handed out')),
      { kind: 'drop', why: /9 bytes/ },
    )
    t.equal(framer.pendingBytes, 0)
    const roomy = new Framer({ maxDataSegmentLength: 8, maxAhsLength: 0 })
    roomy.limits = { maxDataSegmentLength: 9, maxAhsLength: 64 }
    let count = 0
    t.equal(
      roomy.push(pdu, 0, pdu.length, () => {
        count += 1
        return true
      }),
      undefined,
    )
    t.equal(count, 1)
  },
)

t.test('additional headers above the limit end the stream', async t => {
  const framer = new Framer({ maxDataSegmentLength: 8, maxAhsLength: 16 })
  const pdu = wholePdu(Buffer.concat([header.encode({ opcode: Opcode.scsiCommand }), Buffer.alloc(20)]))
  t.match(
    framer.push(pdu, 0, pdu.length, () => t.fail('handed out')),
    { kind: 'drop', why: /20 bytes/ },
  )
})

t.test('digests switched on while a PDU is handled count from the next one [7143 §13.1]', async t => {
  const framer = new Framer({ maxDataSegmentLength: 8192, maxAhsLength: 0 })
  const on = { header: true, data: true }
  const stream = Buffer.concat([PDU(3), PDU(5, on), PDU(0, on)])
  const seen: [number, boolean][] = []
  const fault = framer.push(stream, 0, stream.length, (_buffer, _at, _dataAt, length, dataDigestOk) => {
    framer.setDigests(on)
    seen.push([length, dataDigestOk])
    return true
  })
  t.equal(fault, undefined)
  t.same(seen, [
    [3, true],
    [5, true],
    [0, true],
  ])
  t.equal(framer.pendingBytes, 0)
})

t.test('a wrong data digest marks the PDU and the next one is still found [7143 §7.7]', async t => {
  const on = { header: true, data: true }
  const framer = new Framer({ maxDataSegmentLength: 8192, maxAhsLength: 0 })
  framer.setDigests(on)
  const stream = Buffer.concat([PDU(5, on), PDU(6, on)])
  stream[52 + 6] = 1 // in the padding, which the digest covers
  const seen: boolean[] = []
  framer.push(stream, 0, stream.length, (_buffer, _at, _dataAt, _length, dataDigestOk) => {
    seen.push(dataDigestOk)
    return true
  })
  t.same(seen, [false, true])
})

t.test('segments are padded to four bytes [7143 §11.2]', async t => {
  t.same([0, 1, 2, 3, 4, 5, 8].map(padded), [0, 4, 4, 4, 4, 8, 8])
})
