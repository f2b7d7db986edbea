// Data of reads: how it is cut, numbered and ended [7143 §11.7, §13.12, §13.13].

import { RESERVED_TAG } from '@scsipub/iscsi'
import { cdb } from '@scsipub/testkit'
import t from 'tap'
import { withServer } from '../harness/server.js'
import { BLOCK, content, withSession } from './lab.js'

const BLOCKS = 20
const LENGTH = BLOCKS * BLOCK
const DATA = content(LENGTH, 1)

/** Lengths of the data segments: bursts of at most `burst` bytes, cut into segments of at most `segment`. */
function cut(segment: number, burst: number): { lengths: number[]; finals: boolean[] } {
  const lengths: number[] = []
  const finals: boolean[] = []
  for (let at = 0, inBurst = 0; at < LENGTH; ) {
    const length = Math.min(segment, burst - inBurst, LENGTH - at)
    at += length
    inBurst = (inBurst + length) % burst
    lengths.push(length)
    finals.push(inBurst === 0 || at === LENGTH)
  }
  return { lengths, finals }
}

await withServer(t, {}, async server => {
  for (const [segment, burst] of [
    [1024, 4096],
    [512, 512],
    [1000, 2500],
    [4096, 1024],
    [262144, 1048576],
  ] as const) {
    const keys = { MaxRecvDataSegmentLength: String(segment), MaxBurstLength: String(burst) }
    await t.test(`segments of ${segment} in bursts of ${burst} bytes [7143 §11.7.1, §13.12, §13.13]`, async t => {
      await withSession(server, { keys }, async initiator => {
        await initiator.write(0, DATA)
        const { data, dataIns, status, response } = await initiator.executeRead(cdb.read10(0, BLOCKS), LENGTH)
        t.equal(status, 0)
        t.same(data, DATA)
        const expected = cut(segment, burst)
        t.same(
          dataIns.map(one => one.dataSegmentLength),
          expected.lengths,
        )
        t.same(
          dataIns.map(one => one.final),
          expected.finals,
          'F at the end of each burst',
        )
        t.equal(response, undefined, 'the status goes with the last data')
        for (const one of dataIns.slice(0, -1)) t.equal(one.statusPresent, false)
        for (const one of dataIns) t.match(one, { targetTransferTag: RESERVED_TAG, acknowledge: false })
      })
    })
  }

  await t.test('a status with data takes one StatSN, data without status none [7143 §11.7.4]', async t => {
    await withSession(server, { keys: { MaxRecvDataSegmentLength: '512' } }, async initiator => {
      const before = initiator.watch.expStatSn
      for (let count = 0; count < 3; count++) await initiator.read(0, BLOCKS)
      t.equal(initiator.watch.expStatSn, before + 3)
    })
  })

  await t.test('a read that fails sends no data and says so in a SCSI Response [7143 §11.4]', async t => {
    await withSession(server, {}, async initiator => {
      const { status, dataIns, response } = await initiator.executeRead(cdb.read10(0xfffffff0, 1), BLOCK)
      t.equal(status, 2)
      t.same(dataIns, [])
      t.match(response, { expDataSn: 0 })
    })
  })

  await t.test('a read of no blocks is GOOD and sends nothing [SBC-3 §5.8]', async t => {
    await withSession(server, {}, async initiator => {
      const { status, dataIns } = await initiator.executeRead(cdb.read10(0, 0), 0)
      t.equal(status, 0)
      t.same(dataIns, [])
    })
  })

  await t.test('a large read comes whole [7143 §11.7]', async t => {
    await withSession(server, {}, async initiator => {
      const data = content(4 << 20, 9)
      await initiator.write(100, data)
      t.ok((await initiator.read(100, data.length / BLOCK)).equals(data))
    })
  })
})
