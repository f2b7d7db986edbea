// A removable medium: PREVENT ALLOW MEDIUM REMOVAL [SBC-3 §5.10] and START STOP UNIT [SBC-3 §5.25], with sessions in several workers.

import { TaskManagementFunction as Fn } from '@scsipub/iscsi'
import { status } from '@scsipub/scsi'
import { cdb, type Initiator } from '@scsipub/testkit'
import t from 'tap'
import { iqn, withServer } from '../harness/server.js'
import { BLOCK, cdbOf, content, withSession, withSessions } from './lab.js'

const target = iqn('floppy')
const luns = [{ sizeBytes: 1 << 20, removable: true }, { sizeBytes: 1 << 20 }]
const config = { workers: 3, targets: [{ name: 'floppy', auth: 'none', luns }] }

const prevent = cdbOf('1e 00 00 00 01')
const allow = cdbOf('1e')
const eject = cdbOf('1b 00 00 00 02')
const load = cdbOf('1b 00 00 00 03')
const ready = async (initiator: Initiator) => (await initiator.execute(cdb.testUnitReady())).sense

await withServer(t, { config }, async server => {
  await t.test('an ejected medium is gone for all; loading it tells the others [SBC-3 §5.25, §4.3]', async t => {
    await withSessions(server, { target, count: 3 }, async (first, second, third) => {
      t.equal((await first!.executeRead(cdb.inquiry(), 96)).data[1]! & 0x80, 0x80, 'RMB')
      await first!.write(3, content(BLOCK, 3))
      t.equal((await first!.execute(eject)).status, status.good)
      t.equal((await first!.execute(eject)).status, status.good, 'again')
      for (const initiator of [first!, second!, third!]) {
        t.equal(await ready(initiator), '2/3a/00')
        t.equal((await initiator.executeRead(cdb.read10(3, 1), BLOCK)).sense, '2/3a/00')
        t.equal((await initiator.executeWrite(cdb.write10(3, 1), content(BLOCK, 4))).sense, '2/3a/00')
        t.equal((await initiator.executeRead(cdb.inquiry(), 96)).status, status.good)
      }
      t.equal((await second!.execute(load)).status, status.good)
      t.equal(await ready(second!), undefined, 'who loaded it knows')
      for (const other of [first!, third!]) {
        t.equal(await ready(other), '6/28/00')
        t.equal(await ready(other), undefined)
      }
      t.same(await third!.read(3, 1), content(BLOCK, 3))
      t.equal((await third!.execute(load)).status, status.good, 'nothing to load')
      t.equal(await ready(first!), undefined, 'and nothing to tell')
    })
  })

  await t.test('a write that waits for its data when the medium is ejected does not land', async t => {
    const keys = { InitialR2T: 'Yes', ImmediateData: 'No' }
    await withSessions(server, { target, keys, count: 2 }, async (writer, other) => {
      await other!.write(9, content(BLOCK, 9))
      const late = content(BLOCK, 10)
      const tag = writer!.beginWrite(cdb.write10(9, 1), late)
      await writer!.ping()
      t.equal((await other!.execute(eject)).status, status.good)
      t.equal((await writer!.collect(tag, late)).sense, '2/3a/00')
      t.equal((await other!.execute(load)).status, status.good)
      t.same(await other!.read(9, 1), content(BLOCK, 9))
    })
  })

  await t.test('each nexus prevents for itself; the last one to allow frees the medium [SPC-4 §6.15]', async t => {
    await withSessions(server, { target, count: 2 }, async (first, second) => {
      for (const initiator of [first!, second!]) t.equal((await initiator.execute(prevent)).status, status.good)
      for (const initiator of [first!, second!]) t.equal((await initiator.execute(eject)).sense, '5/53/02')
      t.equal((await first!.execute(allow)).status, status.good)
      t.equal((await first!.execute(eject)).sense, '5/53/02')
      t.equal(await ready(first!), undefined, 'it is still there')
      t.equal((await second!.execute(allow)).status, status.good)
      t.equal((await first!.execute(eject)).status, status.good)
      t.equal((await first!.execute(load)).status, status.good)
      t.equal(await ready(second!), '6/28/00')
    })
  })

  await t.test('what a nexus prevented ends with it, and with a reset [SPC-4 §6.15]', async t => {
    await withSession(server, { target }, async other => {
      await withSession(server, { target }, async holder => {
        t.equal((await holder.execute(prevent)).status, status.good)
        t.equal((await other.execute(eject)).sense, '5/53/02')
        await holder.logout()
        t.equal((await other.execute(eject)).status, status.good, 'as soon as the logout is answered')
      })
      t.equal((await other.execute(load)).status, status.good)
      await withSession(server, { target }, async holder => {
        t.equal((await holder.execute(prevent)).status, status.good)
        await other.manageTask(Fn.logicalUnitReset)
        t.equal(await ready(other), '6/29/03')
        t.equal((await other.execute(eject)).status, status.good)
        t.equal((await other.execute(load)).status, status.good)
      })
    })
  })

  await t.test('a fixed disk refuses to be ejected; to prevent it is in vain and no error [SBC-3 §5.25]', async t => {
    await withSession(server, { target }, async initiator => {
      t.equal((await initiator.execute(eject, 1)).sense, '5/24/00')
      t.equal((await initiator.execute(prevent, 1)).status, status.good)
    })
  })
})
