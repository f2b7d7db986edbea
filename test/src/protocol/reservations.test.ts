// RESERVE and RELEASE [SPC-2 §5.5.1, §7.21, §7.16] over the wire: sessions in several workers, and every way in which a reservation ends.

import { TaskManagementFunction as Fn, LogoutReason, LogoutStatus, TaskManagementStatus } from '@scsipub/iscsi'
import { status } from '@scsipub/scsi'
import { cdb, type Initiator } from '@scsipub/testkit'
import t from 'tap'
import { iqn, withServer } from '../harness/server.js'
import { BLOCK, cdbOf, content, eventually, portal, withSession, withSessions } from './lab.js'

const reserve6 = cdbOf('16')
const release6 = cdbOf('17')
const reserve10 = cdbOf('56')
const release10 = cdbOf('57')

const target = iqn('shared')
const config = {
  workers: 3,
  targets: [{ name: 'shared', auth: 'none', luns: [{ sizeBytes: 1 << 20 }, { sizeBytes: 1 << 20 }] }],
}
const statusOf = async (initiator: Initiator, command: Buffer, lun = 0) =>
  (await initiator.execute(command, lun)).status

await withServer(t, { config }, async server => {
  await t.test('a reservation keeps the commands of others out, and their data [SPC-2 §5.5.1]', async t => {
    await withSessions(server, { target, count: 3 }, async (holder, other, third) => {
      await holder!.write(0, content(BLOCK, 1))
      t.equal(await statusOf(holder!, reserve6), status.good)
      t.equal(await statusOf(holder!, reserve6), status.good, 'again')
      for (const initiator of [other!, third!]) {
        const write = await initiator.executeWrite(cdb.write10(0, 1), content(BLOCK, 2))
        t.equal(write.status, status.reservationConflict)
        t.equal(write.senseData, undefined, 'no sense goes with it [SAM-5 §5.3.1]')
        t.equal((await initiator.executeRead(cdb.read10(0, 1), BLOCK)).status, status.reservationConflict)
        t.equal(await statusOf(initiator, cdb.testUnitReady()), status.reservationConflict)
        t.equal(await statusOf(initiator, reserve10), status.reservationConflict)
        t.equal((await initiator.executeRead(cdb.inquiry(), 96)).status, status.good)
        t.equal((await initiator.executeRead(cdb.readCapacity10(), 8)).status, status.good)
        t.equal(await statusOf(initiator, release6), status.good, 'RELEASE of another is GOOD and has no effect')
        t.equal(await statusOf(initiator, cdb.testUnitReady(), 1), status.good, 'the other LUN is not reserved')
      }
      t.same(await holder!.read(0, 1), content(BLOCK, 1))
      t.equal(await statusOf(holder!, release10), status.good)
      await other!.write(0, content(BLOCK, 3))
      t.same(await holder!.read(0, 1), content(BLOCK, 3))
      t.equal(await statusOf(third!, reserve10), status.good)
      t.equal(await statusOf(holder!, cdb.testUnitReady()), status.reservationConflict)
      t.equal(await statusOf(third!, release6), status.good)
    })
  })

  await t.test('a write that was half received when the unit was reserved does not land [SPC-2 §5.5.1]', async t => {
    const keys = { InitialR2T: 'Yes', ImmediateData: 'No' }
    await withSessions(server, { target, keys, count: 2 }, async (victim, fencer) => {
      await fencer!.write(7, content(BLOCK, 7))
      const late = content(BLOCK, 8)
      const tag = victim!.beginWrite(cdb.write10(7, 1), late)
      await victim!.ping()
      t.equal(await statusOf(fencer!, reserve6), status.good)
      t.equal((await victim!.collect(tag, late)).status, status.reservationConflict)
      t.same(await fencer!.read(7, 1), content(BLOCK, 7))
    })
  })

  await t.test('a unit attention stays pending behind a conflict [SAM-5 §5.3.3, §5.14]', async t => {
    await withSessions(server, { target, count: 2 }, async (holder, other) => {
      t.equal(await holder!.manageTask(Fn.logicalUnitReset), TaskManagementStatus.functionComplete)
      t.equal((await holder!.execute(cdb.testUnitReady())).sense, '6/29/03')
      t.equal(await statusOf(holder!, reserve6), status.good)
      t.equal(await statusOf(other!, cdb.testUnitReady()), status.reservationConflict)
      t.equal(await statusOf(holder!, release6), status.good)
      t.equal((await other!.execute(cdb.testUnitReady())).sense, '6/29/03')
    })
  })

  await t.test('a reservation ends with its nexus, by loss of the connection [SPC-2 §5.5.1]', async t => {
    await withSession(server, { target }, async other => {
      await withSession(server, { target }, async holder => {
        t.equal(await statusOf(holder, reserve6), status.good)
        t.equal(await statusOf(other, cdb.testUnitReady()), status.reservationConflict)
        await holder.close('reset')
      })
      t.equal(await eventually(() => statusOf(other, reserve6), status.good), status.good)
      t.equal(await statusOf(other, release6), status.good)
    })
  })

  for (const reason of [LogoutReason.closeSession, LogoutReason.closeConnection]) {
    await t.test(`logout with reason ${reason}: released when it is answered [SPC-2 §5.5.1, 7143 §11.15]`, async t => {
      await withSessions(server, { target, count: 2 }, async (holder, other) => {
        t.equal(await statusOf(holder!, reserve6), status.good)
        t.equal(await statusOf(other!, cdb.testUnitReady()), status.reservationConflict)
        t.equal((await holder!.logout(reason)).response, LogoutStatus.closed)
        t.equal(await statusOf(other!, reserve6), status.good)
        t.equal(await statusOf(other!, release6), status.good)
      })
    })
  }

  await t.test('a logout of one connection of several releases nothing [7143 §11.14.1]', async t => {
    await withSession(server, { target }, async other => {
      await withSession(server, { target, keys: { MaxConnections: '2' } }, async holder => {
        t.equal(await statusOf(holder, reserve6), status.good)
        const second = await holder.addConnection(portal(server), { cid: 2 })
        t.equal((await second.logout(LogoutReason.closeConnection, 2)).response, LogoutStatus.closed)
        t.equal(await statusOf(other, cdb.testUnitReady()), status.reservationConflict)
        t.equal(await statusOf(holder, release6), status.good)
        t.equal(await statusOf(other, cdb.testUnitReady()), status.good)
      })
    })
  })

  await t.test('a login that takes a nexus over finds the unit released [7143 §6.3.5, SPC-2 §5.5.1]', async t => {
    const options = { target, isid: Buffer.from('00023d000077', 'hex') }
    await withSession(server, { target }, async other => {
      await withSession(server, options, async holder => {
        t.equal(await statusOf(holder, reserve6), status.good)
        await withSession(server, options, async again => {
          t.equal((await other.execute(cdb.testUnitReady())).status, status.good, 'as soon as the login is answered')
          t.equal((await again.execute(cdb.testUnitReady())).sense, '6/29/07')
        })
      })
    })
  })

  for (const [name, fn] of [
    ['LOGICAL UNIT RESET', Fn.logicalUnitReset],
    ['TARGET WARM RESET', Fn.targetWarmReset],
  ] as const) {
    await t.test(`${name} of another nexus releases [SPC-2 §5.5.1]`, async t => {
      await withSessions(server, { target, count: 2 }, async (holder, other) => {
        t.equal(await statusOf(holder!, reserve6), status.good)
        t.equal(await other!.manageTask(fn), TaskManagementStatus.functionComplete)
        t.equal((await other!.execute(cdb.testUnitReady())).sense, '6/29/03')
        t.equal(await statusOf(other!, reserve6), status.good)
        t.equal(await statusOf(holder!, cdb.testUnitReady()), status.reservationConflict)
        t.equal(await statusOf(other!, release6), status.good)
      })
    })
  }

  await t.test('extents and third parties: 5/24/00, and nothing is reserved [SPC-2 §7.21.2]', async t => {
    await withSessions(server, { target, count: 2 }, async (holder, other) => {
      for (const hex of ['16 01', '16 10', '56 01', '56 10', '56 12']) {
        t.equal((await holder!.execute(cdbOf(hex))).sense, '5/24/00')
        t.equal(await statusOf(other!, cdb.testUnitReady()), status.good)
      }
    })
  })
})
