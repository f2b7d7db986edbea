// LUNs that come and go while initiators are logged in: who is told, what becomes of commands under way, and what logs in meanwhile.
// [SPC-4 §4.5.6, §6.33; SAM-5 §5.14]

import { status } from '@scsipub/scsi'
import {
  cdb,
  copyCdb,
  copyList,
  type Initiator,
  naaDesignation,
  overwriteList,
  populateList,
  provisioningCdb,
  sanitizeAction,
  tokenInformation,
  writeUsingList,
} from '@scsipub/testkit'
import t from 'tap'
import { type EmbeddedServer, withEmbeddedServer } from '../harness/embedded-server.js'
import { iqn } from '../harness/server.js'
import { BLOCK, cdbOf, content, withSession, withSessions } from './lab.js'

const MIB = 1 << 20
const LAB = iqn('lab')
const OTHER = iqn('other')
const kind = { blockBytes: 512, readOnly: false, removable: false, thin: true }
const disk = (lun: number, sizeBytes = 8 * MIB) => ({ lun, product: `LUN ${lun}`, sizeBytes, kind })
const targets = [
  { name: 'lab', auth: 'none', luns: [{ sizeBytes: 8 * MIB }, { sizeBytes: 8 * MIB }] },
  { name: 'other', auth: 'none', luns: [{ sizeBytes: MIB }] },
]

const GONE = '5/25/00'
const CHANGED = '6/3f/0e'
const POWER_ON = '6/29/01'

const senseOf = async (initiator: Initiator, lun: number) => (await initiator.execute(cdb.testUnitReady(), lun)).sense

/** The numbers that REPORT LUNS lists. */
async function lunsOf(initiator: Initiator, lun = 0): Promise<number[]> {
  const { data } = await initiator.executeRead(cdb.reportLuns(), 4096, lun)
  const list = data.subarray(8)
  if (data.readUInt32BE(0) !== list.length) throw new Error('LUN LIST LENGTH is wrong')
  return Array.from({ length: list.length / 8 }, (_, index) => list.readUInt16BE(index * 8))
}

/** Brings the target back to LUNs 0 and 1, whatever a test has made of it. */
async function tidy(server: EmbeddedServer, extra: readonly number[]): Promise<void> {
  await server.changeDisks(LAB, { remove: extra })
}

await withEmbeddedServer(t, { targets, workers: 3 }, async server => {
  await t.test(
    'an added LUN is there at once, for all sessions of its target and for no others [SAM-5 §5.14]',
    async t => {
      await withSessions(server, { target: LAB, count: 3 }, async (one, two, third) => {
        await withSession(server, { target: OTHER }, async stranger => {
          t.equal(await senseOf(one!, 5), GONE)
          await server.changeDisks(LAB, { add: [disk(5)] })
          for (const lun of [0, 1]) {
            t.equal(await senseOf(one!, lun), CHANGED)
            t.equal(await senseOf(one!, lun), undefined, 'once')
          }
          t.same(await lunsOf(two!), [0, 1, 5])
          for (const lun of [0, 1])
            t.equal(await senseOf(two!, lun), undefined, 'REPORT LUNS has cleared it on each LUN')
          t.same(await lunsOf(third!, 5), [0, 1, 5], 'asked of the new one')
          t.equal(await senseOf(third!, 0), undefined)
          t.same(await lunsOf(stranger), [0])
          t.equal(await senseOf(stranger, 0), undefined, 'another target')

          t.equal(await senseOf(one!, 5), POWER_ON, 'a unit that begins')
          t.equal(await senseOf(two!, 5), POWER_ON)
          await one!.write(3, content(BLOCK, 5), 5)
          t.same(await two!.read(3, 1, 5), content(BLOCK, 5))
          t.same(await one!.read(3, 1, 0), Buffer.alloc(BLOCK))
        })
        await tidy(server, [5])
      })
    },
  )

  await t.test('a removed LUN is not there any more: 5/25/00, and not in REPORT LUNS [SPC-4 §4.5.6]', async t => {
    await server.changeDisks(LAB, { add: [disk(7)] })
    await withSessions(server, { target: LAB, count: 2 }, async (one, two) => {
      await withSession(server, { target: OTHER }, async stranger => {
        await one!.write(0, content(BLOCK, 1), 1)
        await server.changeDisks(LAB, { remove: [7] })
        t.equal(await senseOf(one!, 7), GONE)
        t.equal((await one!.executeWrite(cdb.write10(0, 1), content(BLOCK, 2), { lun: 7 })).sense, GONE)
        t.equal((await one!.executeRead(cdb.inquiry(), 255, 7)).data[0], 0x7f, 'INQUIRY: no unit here [SPC-4 §6.6.2]')
        t.equal(await senseOf(one!, 1), CHANGED)
        t.equal(await senseOf(two!, 0), CHANGED)
        t.same(await lunsOf(two!), [0, 1])
        t.equal(await senseOf(two!, 1), undefined)
        t.same(await two!.read(0, 1, 1), content(BLOCK, 1), 'the others are as they were')
        t.equal(await senseOf(stranger, 0), undefined)
      })
    })
  })

  await t.test(
    'a number that comes back is a new unit; a reservation of the old one is gone [SAM-5 §6.3.1]',
    async t => {
      await server.changeDisks(LAB, { add: [disk(2)] })
      await withSessions(server, { target: LAB, count: 2 }, async (one, two) => {
        t.equal((await one!.execute(cdbOf('16'), 2)).status, status.good)
        t.equal((await two!.execute(cdb.testUnitReady(), 2)).status, status.reservationConflict)
        await server.changeDisks(LAB, { remove: [2] })
        await server.changeDisks(LAB, { add: [disk(2)] })
        t.equal(await senseOf(two!, 2), POWER_ON)
        t.equal(await senseOf(two!, 2), undefined)
        t.equal(await senseOf(one!, 2), POWER_ON)
        await tidy(server, [2])
      })
    },
  )

  await t.test('a write that is half received ends with 5/25/00, and what follows of it disturbs nobody', async t => {
    await server.changeDisks(LAB, { add: [disk(3)] })
    const keys = { InitialR2T: 'Yes', ImmediateData: 'No' }
    await withSession(server, { target: LAB, keys }, async initiator => {
      const data = content(4 * BLOCK, 3)
      const gone = initiator.beginWrite(cdb.write10(0, 4), data, { lun: 3 })
      const kept = initiator.beginWrite(cdb.write10(0, 4), data, { lun: 1 })
      await initiator.ping()
      await server.changeDisks(LAB, { remove: [3] })
      // Its R2T is answered here, though the command has ended: that data is dropped in silence [7143 §11.5.1].
      t.match(await initiator.collect(gone, data), { sense: GONE, underflow: data.length })
      t.equal((await initiator.collect(kept, data)).status, status.good, 'a write to another LUN goes on')
      t.equal(await senseOf(initiator, 1), CHANGED)
      t.same(await initiator.read(0, 4, 1), data)
      await server.changeDisks(LAB, { add: [disk(3)] })
      t.equal(await senseOf(initiator, 3), POWER_ON)
      t.same(await initiator.read(0, 4, 3), Buffer.alloc(4 * BLOCK), 'nothing of it was written')
      await tidy(server, [3])
    })
  })

  await t.test('a command that waits for a long operation of the unit ends with it', async t => {
    await server.changeDisks(LAB, { add: [disk(4, 512 * MIB)] })
    await withSession(server, { target: LAB }, async initiator => {
      const list = overwriteList(8, content(BLOCK, 9))
      const command = provisioningCdb.sanitize(sanitizeAction.overwrite, { parameterListLength: list.length })
      const tag = initiator.beginWrite(command, list, { lun: 4 })
      await initiator.ping()
      await server.changeDisks(LAB, { remove: [4] })
      t.equal((await initiator.collect(tag, list)).sense, GONE)
    })
  })

  await t.test('copies that involve it end; so do the tokens for its data [SPC-4 §5.17]', async t => {
    await server.changeDisks(LAB, { add: [disk(6, 64 * MIB), disk(8, 64 * MIB)] })
    await withSession(server, { target: LAB }, async initiator => {
      const designation = async (lun: number) =>
        naaDesignation((await initiator.executeRead(cdb.vitalProductData(0x83), 1024, lun)).data.subarray(4))
      const units = [await designation(6), await designation(8)]
      const segment = { source: 0, destination: 1, blocks: 0xffff, sourceLba: 0, destinationLba: 0 }
      const list = copyList(
        units,
        Array.from({ length: 64 }, () => segment),
      )
      const copy = (lun: number) => initiator.beginWrite(copyCdb.extendedCopy(list.length), list, { lun })

      const populate = populateList([[0, 8]])
      await initiator.executeWrite(copyCdb.populateToken(1, populate.length), populate, { lun: 8 })
      const told = await initiator.executeRead(copyCdb.tokenInformation(1), 1024, 8)
      const token = Buffer.from(tokenInformation(told.data).token!)
      const use = writeUsingList(token, [[0, 8]])
      const write = () => initiator.executeWrite(copyCdb.writeUsingToken(2, use.length), use, { lun: 0 })
      t.equal((await write()).status, status.good)

      const own = copy(8)
      // So many that they are under way for long.
      const others = [copy(6), ...Array.from({ length: 12 }, () => copy(0))]
      await initiator.ping()
      await server.changeDisks(LAB, { remove: [8] })
      t.equal((await initiator.collect(own, list)).sense, GONE, 'a copy that was asked of it')
      for (const tag of others)
        t.match(await initiator.collect(tag, list), { sense: /^a\/0d\/01$/ }, 'one that uses it')
      t.equal(await senseOf(initiator, 0), CHANGED)
      t.equal((await write()).sense, '5/23/04', 'the unit of the token cannot be seen')
      t.equal(await senseOf(initiator, 6), CHANGED)
      t.equal((await initiator.collect(copy(6), list)).sense, 'a/0d/02', 'and is no target of a copy [SPC-4 §6.4.5]')

      await server.changeDisks(LAB, { add: [disk(8, 64 * MIB)] })
      t.equal(await senseOf(initiator, 8), POWER_ON)
      const forgotten = await initiator.executeRead(copyCdb.tokenInformation(1), 1024, 8)
      t.equal(forgotten.sense, '5/24/00', 'nothing is known of the copies of the unit that had its number')
    })
    await tidy(server, [6, 8])
  })

  await t.test('who logs in while LUNs come and go has what there is in the end, and was told', async t => {
    const numbers = [20, 21, 22, 23]
    await withSession(server, { target: LAB }, async watcher => {
      const changes = (async () => {
        await server.changeDisks(LAB, { add: numbers.map(lun => disk(lun, MIB)) })
        await server.changeDisks(LAB, { remove: [20, 22] })
        await server.changeDisks(LAB, { add: [disk(24, MIB)], remove: [21] })
      })()
      await withSessions(server, { target: LAB, count: 12 }, async (...all) => {
        await changes
        for (const initiator of [watcher, ...all]) {
          t.same(await lunsOf(initiator), [0, 1, 23, 24])
          for (const lun of [20, 21, 22]) t.equal(await senseOf(initiator, lun), GONE)
          for (const lun of [0, 1]) t.equal(await senseOf(initiator, lun), undefined)
          for (const lun of [23, 24]) {
            const first = await senseOf(initiator, lun)
            t.ok(first === undefined || first === POWER_ON || first === CHANGED)
            t.ok([undefined, CHANGED].includes(await senseOf(initiator, lun)))
            t.equal((await initiator.executeRead(cdb.read10(0, 1), BLOCK, lun)).status, status.good)
          }
        }
      })
    })
    await tidy(server, [23, 24])
  })

  await t.test('all LUNs may go, and others come', async t => {
    await withSession(server, { target: OTHER }, async initiator => {
      await server.changeDisks(OTHER, { remove: [0] })
      t.same(await lunsOf(initiator), [])
      t.equal(await senseOf(initiator, 0), GONE)
      await withSession(server, { target: OTHER }, async late => {
        t.same(await lunsOf(late), [])
      })
      await server.changeDisks(OTHER, { add: [disk(255, MIB)] })
      t.same(await lunsOf(initiator), [255])
      t.equal(await senseOf(initiator, 255), POWER_ON)
      t.equal(await senseOf(initiator, 255), undefined)
    })
  })

  await t.test('what cannot be is refused, and nothing changes', async t => {
    await t.rejects(server.changeDisks(LAB, { add: [disk(1)] }), /has LUN 1 already/)
    await t.rejects(server.changeDisks(iqn('blank'), { remove: [0] }), /no target/)
    await withSession(server, { target: LAB }, async initiator => {
      t.same(await lunsOf(initiator), [0, 1])
    })
  })
})
