// A disk that grows while initiators are logged in, as they see it: the new size, CAPACITY DATA HAS CHANGED for every nexus of the unit and nobody else, and
// commands beyond the old end. [SBC-3 §4.4.1, §5.15, §5.16; SAM-5 §5.14]

import { status } from '@scsipub/scsi'
import { cdb, type Initiator } from '@scsipub/testkit'
import t from 'tap'
import { withEmbeddedServer } from '../harness/embedded-server.js'
import { iqn } from '../harness/server.js'
import { BLOCK, cdbOf, content, withSession, withSessions } from './lab.js'

const MIB = 1 << 20
const LAB = iqn('lab')
const OTHER = iqn('other')
const disk = { sizeBytes: MIB }
const targets = [
  { name: 'lab', auth: 'none', luns: [disk, disk, { ...disk, blockBytes: 4096 }] },
  { name: 'other', auth: 'none', luns: [disk] },
]
const GROWN = '6/2a/09'
const OUT_OF_RANGE = '5/21/00'

const senseOf = async (initiator: Initiator, lun = 0) => (await initiator.execute(cdb.testUnitReady(), lun)).sense

/** Blocks by READ CAPACITY (10) and (16). @throws Error when they differ */
async function blocksOf(initiator: Initiator, lun = 0): Promise<number> {
  const short = (await initiator.executeRead(cdb.readCapacity10(), 8, lun)).data
  const long = (await initiator.executeRead(cdb.readCapacity16(), 32, lun)).data
  const blocks = short.readUInt32BE(0) + 1
  if (long.readBigUInt64BE(0) !== BigInt(blocks - 1)) throw new Error('READ CAPACITY (10) and (16) differ')
  return blocks
}

await withEmbeddedServer(t, { targets, workers: 3 }, async server => {
  await t.test(
    'every nexus of the unit is told, once, and sees the new size; no other unit, no other target',
    async t => {
      await withSessions(server, { target: LAB, count: 3 }, async (...sessions) => {
        await withSession(server, { target: OTHER }, async stranger => {
          for (const initiator of sessions) {
            t.equal(await blocksOf(initiator), 2048)
            t.equal((await initiator.executeRead(cdb.read10(2048, 1), BLOCK)).sense, OUT_OF_RANGE)
          }
          await server.growDisk(LAB, 0, 4 * MIB)
          for (const initiator of sessions) {
            t.equal(await senseOf(initiator), GROWN)
            t.equal(await senseOf(initiator), undefined)
            t.equal(await blocksOf(initiator), 8192)
            t.equal(await senseOf(initiator, 1), undefined, 'the other LUN has not grown')
            t.equal(await blocksOf(initiator, 1), 2048)
          }
          t.equal(await senseOf(stranger), undefined)
          t.equal(await blocksOf(stranger), 2048)
        })
      })
      await withSession(server, { target: LAB }, async late => {
        t.equal(await senseOf(late), undefined, 'who logs in later has seen nothing else')
        t.equal(await blocksOf(late), 8192)
      })
    },
  )

  await t.test(
    'beyond the old end it reads as zeros, takes writes, and ends at the new one; what was there stays',
    async t => {
      await withSessions(server, { target: LAB, count: 2 }, async (one, two) => {
        await one!.write(2040, content(8 * BLOCK, 1), 1)
        await server.growDisk(LAB, 1, 2 * MIB)
        for (const initiator of [one!, two!]) t.equal(await senseOf(initiator, 1), GROWN)
        t.same(await two!.read(2040, 16, 1), Buffer.concat([content(8 * BLOCK, 1), Buffer.alloc(8 * BLOCK)]))
        await two!.write(2044, content(8 * BLOCK, 2), 1)
        await one!.write(4095, content(BLOCK, 3), 1)
        t.same(await one!.read(2044, 8, 1), content(8 * BLOCK, 2), 'over the old end')
        t.same(await two!.read(4095, 1, 1), content(BLOCK, 3), 'the last block')
        const over = await one!.executeWrite(cdb.write10(4095, 2), content(2 * BLOCK, 4), { lun: 1 })
        t.equal(over.sense, OUT_OF_RANGE)
        t.equal(over.senseData?.readUInt32BE(3), 4096, 'INFORMATION: the first LBA that is not there')
      })
    },
  )

  await t.test('commands that are under way are judged by one size, and writes go on', async t => {
    const keys = { InitialR2T: 'Yes', ImmediateData: 'No' }
    await withSession(server, { target: LAB, keys }, async initiator => {
      const data = content(8 * BLOCK, 5)
      const begun = initiator.beginWrite(cdb.write10(0, 8), data)
      await initiator.ping()
      await server.growDisk(LAB, 0, 8 * MIB)
      t.equal((await initiator.collect(begun, data)).status, status.good, 'it was there before')
      t.equal(await senseOf(initiator), GROWN)
      t.same(await initiator.read(0, 8), data)
    })
  })

  await t.test('reading and writing all along, nothing fails but by the unit attention', async t => {
    await withSessions(server, { target: LAB, count: 2 }, async (one, two) => {
      let growing = true
      const told = new Map<Initiator, number>()
      const hammer = async (initiator: Initiator, seed: number) => {
        const mine = content(4 * BLOCK, seed)
        for (let round = 0; growing; round++) {
          const lba = seed * 64 + (round % 8) * 4
          const written = await initiator.executeWrite(cdb.write10(lba, 4), mine)
          if (written.sense === GROWN) told.set(initiator, (told.get(initiator) ?? 0) + 1)
          else if (written.status !== status.good) t.fail(`WRITE: ${written.sense}`)
          else if (!(await readAgain(initiator, lba)).equals(mine)) t.fail('what was written is not read')
        }
      }
      const readAgain = async (initiator: Initiator, lba: number): Promise<Buffer> => {
        const { sense, data } = await initiator.executeRead(cdb.read10(lba, 4), 4 * BLOCK)
        if (sense !== GROWN) return data
        told.set(initiator, (told.get(initiator) ?? 0) + 1)
        return readAgain(initiator, lba)
      }
      const work = Promise.all([hammer(one!, 1), hammer(two!, 2)])
      for (const size of [9, 10, 11, 12]) await server.growDisk(LAB, 0, size * MIB)
      growing = false
      await work
      for (const initiator of [one!, two!]) {
        if ((await senseOf(initiator)) === GROWN) told.set(initiator, (told.get(initiator) ?? 0) + 1)
        t.ok((told.get(initiator) ?? 0) >= 1)
        t.equal(await blocksOf(initiator), 24_576)
      }
    })
  })

  await t.test('blocks of 4096 bytes, and a reservation that holds on', async t => {
    await withSessions(server, { target: LAB, count: 2 }, async (holder, other) => {
      t.equal((await holder!.execute(cdbOf('16'), 2)).status, status.good)
      await server.growDisk(LAB, 2, 3 * MIB)
      t.equal((await other!.execute(cdb.testUnitReady(), 2)).status, status.reservationConflict)
      t.equal((await other!.executeRead(cdb.readCapacity10(), 8, 2)).sense, GROWN, 'which may be asked all the same')
      t.equal(await senseOf(holder!, 2), GROWN)
      t.equal(await blocksOf(other!, 2), 768)
      t.equal((await holder!.execute(cdbOf('17'), 2)).status, status.good)
    })
  })

  await t.test('it does not shrink, and a size that it has already is told to nobody', async t => {
    await withSession(server, { target: LAB }, async initiator => {
      await t.rejects(server.growDisk(LAB, 0, MIB))
      await t.rejects(server.growDisk(LAB, 9, MIB), /has no LUN 9/)
      await server.growDisk(LAB, 0, 12 * MIB)
      t.equal(await senseOf(initiator), undefined)
      t.equal(await blocksOf(initiator), 24_576)
    })
  })

  await t.test('who logs in while a disk grows sees the size that it has in the end', async t => {
    const changes = (async () => {
      for (const size of [13, 14, 15, 16]) await server.growDisk(LAB, 0, size * MIB)
    })()
    await withSessions(server, { target: LAB, count: 8 }, async (...sessions) => {
      await changes
      for (const initiator of sessions) {
        t.ok([undefined, GROWN].includes(await senseOf(initiator)))
        t.equal(await blocksOf(initiator), 32_768)
        t.equal((await initiator.executeRead(cdb.read10(32_767, 1), BLOCK)).status, status.good)
      }
    })
  })
})
