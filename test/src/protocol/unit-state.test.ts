// The state that all nexuses of a unit share, seen from sessions in several workers: mode parameters [SPC-4 §6.11, §7.5.8], and the unit
// attentions that others get of them [SAM-5 §5.14]. Beside it what a read-only unit and one with large blocks are like.

import { TaskManagementFunction as Fn } from '@scsipub/iscsi'
import { status } from '@scsipub/scsi'
import { cdb, type Initiator } from '@scsipub/testkit'
import t from 'tap'
import { iqn, withServer } from '../harness/server.js'
import { BLOCK, cdbOf, content, withSession, withSessions } from './lab.js'

const target = iqn('shared')
const luns = [{ sizeBytes: 1 << 20 }, { sizeBytes: 1 << 20, readOnly: true }, { sizeBytes: 1 << 20, blockBytes: 4096 }]
const config = { workers: 3, targets: [{ name: 'shared', auth: 'none', luns }] }

const controlPage = (dSense: boolean, swp: boolean) =>
  Buffer.from(`000000000a0a${dSense ? '06' : '02'}10${swp ? '08' : '00'}000000ffff0000`, 'hex')
const select = (initiator: Initiator, list: Buffer) =>
  initiator.executeWrite(cdbOf(`15 10 00 00 ${list.length.toString(16)}`), list)
const ready = async (initiator: Initiator) => (await initiator.execute(cdb.testUnitReady())).sense
const control = async (initiator: Initiator) =>
  (await initiator.executeRead(cdbOf('1a 08 0a 00 ff'), 255)).data.toString('hex')

await withServer(t, { config }, async server => {
  await t.test('SWP write-protects the unit for all, who are told once [SPC-4 §7.5.8, §6.11]', async t => {
    await withSessions(server, { target, count: 3 }, async (first, second, third) => {
      const all = [first!, second!, third!]
      await first!.write(0, content(BLOCK, 1))
      const answer = await select(first!, controlPage(false, true))
      t.equal(answer.status, status.good)
      t.equal(answer.underflow, 0)
      t.equal(await ready(first!), undefined, 'who did it knows')
      for (const other of [second!, third!]) {
        t.equal(await ready(other), '6/2a/01')
        t.equal(await ready(other), undefined)
      }
      for (const initiator of all) {
        t.equal((await initiator.executeWrite(cdb.write10(0, 1), content(BLOCK, 2))).sense, '7/27/00')
        t.equal(await control(initiator), '0f009000' + '0a0a021008000000ffff0000', 'WP in the header, SWP in the page')
      }
      t.same(await second!.read(0, 1), content(BLOCK, 1))
      t.equal((await select(second!, controlPage(false, true))).status, status.good, 'again: nothing changes')
      t.equal(await ready(first!), undefined, 'so nobody is told')
      t.equal((await select(second!, controlPage(false, false))).status, status.good)
      t.equal(await ready(first!), '6/2a/01')
      await first!.write(0, content(BLOCK, 3))
      t.equal(await ready(third!), '6/2a/01')
    })
  })

  await t.test('D_SENSE: sense in descriptor format, for all [SPC-4 §7.5.8, §4.5.2]', async t => {
    await withSessions(server, { target, count: 2 }, async (first, second) => {
      t.equal((await select(first!, controlPage(true, false))).status, status.good)
      const told = await second!.execute(cdb.testUnitReady())
      t.equal(told.senseData?.toString('hex'), '72062a0100000000')
      const beyond = await first!.executeRead(cdb.read16(0x1_0000_0000_0000n, 1), BLOCK)
      t.equal(beyond.senseData?.toString('hex'), '720521000000000c' + '000a8000' + '0001000000000000')
      t.equal(
        (await first!.executeRead(cdb.requestSense(), 252)).data[0],
        0x70,
        'REQUEST SENSE goes by its DESC bit [SPC-4 §6.39]',
      )
      t.equal((await first!.executeRead(cdbOf('03 01 00 00 ff'), 252)).data[0], 0x72)
      t.equal((await select(first!, controlPage(false, false))).status, status.good)
      t.equal((await second!.execute(cdb.testUnitReady())).senseData?.[0], 0x70)
      const fixed = await first!.executeRead(cdb.read16(0x1_0000_0000_0000n, 1), BLOCK)
      t.equal(
        fixed.senseData?.toString('hex', 0, 8),
        '700005' + '00000000' + '0a',
        'an INFORMATION that does not fit is not valid [SPC-4 §4.5.3]',
      )
    })
  })

  await t.test('LOGICAL UNIT RESET brings the default mode parameters back [SAM-5 §6.3.3]', async t => {
    await withSessions(server, { target, count: 2 }, async (first, second) => {
      t.equal((await select(first!, controlPage(true, true))).status, status.good)
      await second!.manageTask(Fn.logicalUnitReset)
      const told = await second!.execute(cdb.testUnitReady())
      t.equal(told.senseData?.[0], 0x70)
      t.equal(told.sense, '6/29/03', 'which says more than what was changed before [SAM-5 §5.14]')
      t.equal(await ready(first!), '6/29/03')
      t.equal(await control(first!), '0f001000' + '0a0a021000000000ffff0000')
      await first!.write(0, content(BLOCK, 4))
    })
  })

  await t.test('a list that is refused changes nothing and tells nobody [SPC-4 §6.11]', async t => {
    await withSessions(server, { target, count: 2 }, async (first, second) => {
      const wrong = Buffer.concat([controlPage(false, true), Buffer.from('0212', 'hex')])
      const refused = await select(first!, wrong)
      t.equal(refused.sense, '5/26/00')
      t.equal(refused.senseData?.toString('hex', 15), '8d0010', 'bit 5 of byte 16')
      const list = controlPage(false, true)
      const cut = await first!.executeWrite(cdbOf('15 10 00 00 10'), list.subarray(0, 8))
      t.equal(cut.sense, '5/1a/00', 'less data than the CDB says')
      t.equal((await first!.execute(cdbOf('15 11 00 00 10'))).sense, '5/24/00', 'nothing can be saved')
      await first!.write(0, content(BLOCK, 5))
      t.equal(await ready(second!), undefined)
    })
  })

  await t.test('a read-only unit says so, and takes no write [SBC-3 §6.5.1]', async t => {
    await withSession(server, { target }, async initiator => {
      const mode = await initiator.executeRead(cdb.modeSense6(0x3f), 255, 1)
      t.equal(mode.data[2]! & 0x80, 0x80, 'WP')
      const write = await initiator.executeWrite(cdb.write10(0, 1), content(BLOCK, 1), { lun: 1 })
      t.equal(write.sense, '7/27/00')
      t.same(await initiator.read(0, 1, 1), Buffer.alloc(BLOCK))
    })
  })

  await t.test('blocks of 4096 bytes: capacity, addresses and lengths are in them [SBC-3 §5.15, §5.11]', async t => {
    await withSession(server, { target }, async initiator => {
      const capacity = await initiator.executeRead(cdb.readCapacity10(), 8, 2)
      t.equal(capacity.data.toString('hex'), '000000ff' + '00001000')
      const data = content(8192, 6)
      t.equal((await initiator.executeWrite(cdb.write10(254, 2), data, { lun: 2 })).status, status.good)
      t.same((await initiator.executeRead(cdb.read10(254, 2), 8192, 2)).data, data)
      t.equal((await initiator.executeRead(cdb.read10(255, 2), 8192, 2)).sense, '5/21/00')
    })
  })

  await t.test('the task management functions that are reported are those that are there [SPC-4 §6.36]', async t => {
    await withSession(server, { target }, async initiator => {
      const { data } = await initiator.executeRead(cdbOf('a3 0d 00 00 00 00 00 00 00 10'), 16)
      const bits = [
        [0x80, Fn.abortTask],
        [0x40, Fn.abortTaskSet],
        [0x20, Fn.clearAca],
        [0x10, Fn.clearTaskSet],
        [0x08, Fn.logicalUnitReset],
        [0x02, Fn.targetWarmReset],
      ] as const
      for (const [bit, fn] of bits) {
        const answer = await initiator.manageTask(fn)
        t.equal(answer === 5, (data[0]! & bit) === 0, `function ${fn} is answered ${answer}`)
      }
    })
  })
})
