// The reader against PDUs written by hand, in any pieces.

import { dataIn, Opcode, scsiResponse, wholePdu } from '@scsipub/iscsi'
import t from 'tap'
import { PduReader } from './pdu-reader.js'

const BOTH = { header: true, data: true }
const header = () => dataIn.encode({ initiatorTaskTag: 0x1234, final: true, dataSn: 3 })

function readAll(reader: PduReader, bytes: Buffer, step: number) {
  const pdus = []
  for (let at = 0; at < bytes.length; at += step) {
    reader.push(bytes.subarray(at, at + step))
    for (let pdu = reader.next(); pdu; pdu = reader.next()) pdus.push(pdu)
  }
  return pdus
}

t.test('PDUs come out whole however the stream is cut [7143 §11.2]', async t => {
  for (const digests of [{ header: false, data: false }, BOTH, { header: true, data: false }]) {
    const stream = Buffer.concat([
      wholePdu(header(), Buffer.from('five5'), digests),
      wholePdu(scsiResponse.encode({ initiatorTaskTag: 9 }), undefined, digests),
      wholePdu(header(), Buffer.from('four'), digests),
    ])
    for (const step of [1, 7, 48, 1000]) {
      const reader = new PduReader()
      reader.setDigests(digests)
      const pdus = readAll(reader, stream, step)
      t.same(
        pdus.map(pdu => [pdu.opcode, pdu.initiatorTaskTag, pdu.data.toString()]),
        [
          [Opcode.dataIn, 0x1234, 'five5'],
          [Opcode.scsiResponse, 9, ''],
          [Opcode.dataIn, 0x1234, 'four'],
        ],
      )
      t.equal(reader.pendingBytes, 0)
    }
  }
})

t.test('a flipped bit anywhere is noticed when both digests are on [7143 §13.1]', async t => {
  const good = wholePdu(header(), Buffer.from('abcdef'), BOTH)
  for (let at = 0; at < good.length; at++) {
    // The lengths decide how much is waited for; a wrong one shows as a PDU that does not end.
    if (at >= 4 && at < 8) continue
    const bad = Buffer.from(good)
    bad[at] = (bad[at] ?? 0) ^ 0x10
    const reader = new PduReader()
    reader.setDigests(BOTH)
    reader.push(bad)
    t.throws(() => reader.next(), /wrong (header|data) digest/, `byte ${at}`)
  }
})

t.test('padding that is not zero is noticed [7143 §11.2.3]', async t => {
  const bytes = wholePdu(header(), Buffer.from('abcde'))
  bytes[bytes.length - 1] = 1
  const reader = new PduReader()
  reader.push(bytes)
  t.throws(() => reader.next(), /padding/)
})
