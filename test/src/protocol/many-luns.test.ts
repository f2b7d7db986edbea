// A target with as many LUNs as there can be: each is a disk of its own, whichever way its data comes, and REPORT LUNS tells all of them.
// [SAM-5 §4.7, SPC-4 §6.33]

import { status } from '@scsipub/scsi'
import { cdb, type Initiator } from '@scsipub/testkit'
import t from 'tap'
import { iqn, withServer } from '../harness/server.js'
import { BLOCK, cdbOf, content, withSession, withSessions } from './lab.js'

const COUNT = 256
const target = iqn('many')
const config = {
  workers: 2,
  targets: [{ name: 'many', auth: 'none', luns: Array.from({ length: COUNT }, () => ({ sizeBytes: 64 << 10 })) }],
}
const all = Array.from({ length: COUNT }, (_, lun) => lun)

/** What LUN `lun` holds from block 1 on, in the round `round`. */
const own = (lun: number, round: number) => content(2 * BLOCK, 1000 * round + lun)

/** REPORT LUNS with a SELECT REPORT code; the entries, in hexadecimal digits. */
async function report(initiator: Initiator, select: string, lun = 0): Promise<string[]> {
  const { data } = await initiator.executeRead(cdbOf(`a0 00 ${select} 00 00 00 00 00 10 00`), 4096, lun)
  const list = data.subarray(8)
  if (data.readUInt32BE(0) !== list.length) throw new Error('LUN LIST LENGTH is wrong')
  return Array.from({ length: list.length / 8 }, (_, index) => list.toString('hex', index * 8, index * 8 + 8))
}

await withServer(t, { config }, async server => {
  await t.test(
    'REPORT LUNS lists all, by peripheral device addressing, and the well known one when asked [SPC-4 §6.33]',
    async t => {
      await withSession(server, { target }, async initiator => {
        const units = all.map(lun => `00${lun.toString(16).padStart(2, '0')}000000000000`)
        t.same(await report(initiator, '00'), units)
        t.same(await report(initiator, '00', 255), units, 'asked of the last one')
        t.same(await report(initiator, '01'), ['c101000000000000'])
        t.same(await report(initiator, '02'), [...units, 'c101000000000000'])
      })
    },
  )

  await t.test(
    'each LUN is a unit of its own, and the first number that is none is 5/25/00 [SPC-4 §4.5.6]',
    async t => {
      await withSession(server, { target }, async initiator => {
        const serials = new Set<string>()
        for (const lun of all) {
          const { data } = await initiator.executeRead(cdb.vitalProductData(0x80), 255, lun)
          serials.add(data.toString('latin1', 4))
        }
        t.equal(serials.size, COUNT)
        for (const lun of [256, 257, 0x3fff])
          t.equal((await initiator.execute(cdb.testUnitReady(), lun)).sense, '5/25/00')
      })
    },
  )

  for (const [way, keys] of [
    ['immediate data', { ImmediateData: 'Yes', InitialR2T: 'No' }],
    ['unsolicited Data-Out', { ImmediateData: 'No', InitialR2T: 'No' }],
    ['Data-Out that was asked for', { ImmediateData: 'No', InitialR2T: 'Yes' }],
  ] as const) {
    await t.test(
      `what is written to one LUN by ${way} is there and nowhere else, all at once [7143 §11.3, §11.7]`,
      async t => {
        const round = way.length
        await withSessions(server, { target, keys, count: 2 }, async (writer, reader) => {
          // As many at a time as the command window has room for.
          for (let first = 0; first < COUNT; first += 32) {
            const some = all.slice(first, first + 32)
            const begun = some.map(lun => ({
              data: own(lun, round),
              tag: writer!.beginWrite(cdb.write10(1, 2), own(lun, round), { lun }),
            }))
            for (const { tag, data } of begun.toReversed()) {
              const written = await writer!.collect(tag, data)
              if (written.status !== status.good) t.fail(`WRITE: ${written.sense}`)
            }
          }
          let wrong = 0
          for (const lun of all) if (!(await reader!.read(1, 2, lun)).equals(own(lun, round))) wrong++
          t.equal(wrong, 0)
        })
      },
    )
  }
})
