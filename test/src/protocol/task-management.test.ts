// Task management functions [7143 §11.5, §11.6]: what is aborted is gone, is not answered, and has changed nothing.

import { TaskManagementFunction as Fn, r2t, TaskManagementStatus as Status } from '@scsipub/iscsi'
import { cdb, type Initiator } from '@scsipub/testkit'
import t from 'tap'
import { iqn, withServer } from '../harness/server.js'
import { BLOCK, content, withSession } from './lab.js'

const keys = { InitialR2T: 'Yes', ImmediateData: 'No' }
const SHARED = iqn('shared')
const config = { targets: [{ name: 'shared', auth: 'none', luns: [{ sizeBytes: 1 << 20 }, { sizeBytes: 1 << 20 }] }] }

/** A write of one block that has got its R2T and no data. */
async function waitingWrite(initiator: Initiator, lun = 0) {
  const cmdSn = initiator.cmdSn
  const tag = initiator.beginWrite(cdb.write10(0, 1), content(BLOCK, 9), { lun })
  const { targetTransferTag } = await initiator.take(r2t, tag)
  return { tag, cmdSn, targetTransferTag }
}

await withServer(t, { config }, async server => {
  await t.test(
    'ABORT TASK ends a write that waits for data; data that still comes is dropped [7143 §11.5.1]',
    async t => {
      await withSession(server, { keys }, async initiator => {
        const { tag, cmdSn, targetTransferTag } = await waitingWrite(initiator)
        const response = await initiator.manageTask(Fn.abortTask, { referencedTaskTag: tag, refCmdSn: cmdSn })
        t.equal(response, Status.functionComplete)
        initiator.dataOut(
          { initiatorTaskTag: tag, targetTransferTag, bufferOffset: 0, dataSn: 0, final: true },
          content(BLOCK, 9),
        )
        t.same(await initiator.read(0, 1), Buffer.alloc(BLOCK))
        t.same(initiator.wire.inbox.unread, [], 'neither status nor Reject')
      })
    },
  )

  await t.test('the tag of an aborted task is free again [7143 §11.5.1]', async t => {
    await withSession(server, { keys }, async initiator => {
      const { tag, cmdSn } = await waitingWrite(initiator)
      await initiator.manageTask(Fn.abortTask, { referencedTaskTag: tag, refCmdSn: cmdSn })
      initiator.sendCommand({ cdb: cdb.testUnitReady(), initiatorTaskTag: tag })
      t.equal((await initiator.collect(tag)).status, 0)
    })
  })

  await t.test('ABORT TASK of a task that has ended: it does not exist [7143 §11.6.1]', async t => {
    await withSession(server, {}, async initiator => {
      const refCmdSn = initiator.cmdSn
      const tag = initiator.sendCommand({ cdb: cdb.testUnitReady() })
      await initiator.collect(tag)
      t.equal(await initiator.manageTask(Fn.abortTask, { referencedTaskTag: tag, refCmdSn }), Status.taskDoesNotExist)
    })
  })

  await t.test(
    'ABORT TASK of a command that is still on its way: it will never be carried out [7143 §11.6.1]',
    async t => {
      await withSession(server, {}, async initiator => {
        const refCmdSn = initiator.cmdSn
        const data = content(BLOCK, 3)
        initiator.cmdSn = refCmdSn + 1
        const fields = { referencedTaskTag: 0x7777, refCmdSn, cmdSn: refCmdSn + 1 }
        t.equal(await initiator.manageTask(Fn.abortTask, fields), Status.functionComplete)
        initiator.sendCommand({
          cdb: cdb.write10(0, 1),
          write: true,
          expectedDataTransferLength: BLOCK,
          data,
          initiatorTaskTag: 0x7777,
          cmdSn: refCmdSn,
        })
        t.same(await initiator.read(0, 1), Buffer.alloc(BLOCK))
        t.same(initiator.wire.inbox.unread, [])
      })
    },
  )

  await t.test('ABORT TASK SET ends the tasks of that LUN, and of no other [7143 §11.5.1]', async t => {
    await withSession(server, { keys, target: SHARED }, async initiator => {
      const mine = [await waitingWrite(initiator), await waitingWrite(initiator)]
      const other = await waitingWrite(initiator, 1)
      t.equal(await initiator.manageTask(Fn.abortTaskSet, { lun: 0 }), Status.functionComplete)
      for (const { tag, targetTransferTag } of mine) {
        initiator.dataOut(
          { initiatorTaskTag: tag, targetTransferTag, bufferOffset: 0, dataSn: 0, final: true },
          content(BLOCK, 9),
        )
      }
      const { tag: initiatorTaskTag, targetTransferTag } = other
      initiator.dataOut(
        { initiatorTaskTag, targetTransferTag, bufferOffset: 0, dataSn: 0, final: true, lun: 1 },
        content(BLOCK, 9),
      )
      t.equal((await initiator.collect(initiatorTaskTag)).status, 0)
      t.same(await initiator.read(0, 1, 0), Buffer.alloc(BLOCK))
      t.same(await initiator.read(0, 1, 1), content(BLOCK, 9))
      t.same(initiator.wire.inbox.unread, [])
    })
  })

  await t.test('LOGICAL UNIT RESET ends the tasks and is told once [7143 §11.5.1, SAM-5 §6.3.3]', async t => {
    await withSession(server, { keys }, async initiator => {
      await initiator.write(5, content(BLOCK, 5))
      const { tag } = await waitingWrite(initiator)
      t.equal(await initiator.manageTask(Fn.logicalUnitReset), Status.functionComplete)
      const inquiry = await initiator.executeRead(cdb.inquiry(), 255)
      t.equal(inquiry.status, 0, 'INQUIRY is answered and takes no unit attention [SPC-4 §6.6.1]')
      t.equal((await initiator.execute(cdb.testUnitReady())).sense, '6/29/03')
      t.equal((await initiator.execute(cdb.testUnitReady())).status, 0)
      t.same(await initiator.read(5, 1), content(BLOCK, 5), 'the data stays')
      t.notOk(initiator.wire.inbox.unread.some(pdu => pdu.initiatorTaskTag === tag))
    })
  })

  await t.test('a reset disturbs no other session of a private disk', async t => {
    await withSession(server, {}, async other => {
      await withSession(server, {}, async initiator => {
        t.equal(await initiator.manageTask(Fn.logicalUnitReset), Status.functionComplete)
      })
      t.equal((await other.execute(cdb.testUnitReady())).status, 0)
    })
  })

  await t.test('LOGICAL UNIT RESET reaches every session of a shared disk, in every worker [SAM-5 §6.3.3]', async t => {
    const options = { keys, target: SHARED }
    await withSession(server, options, async first => {
      await withSession(server, options, async second => {
        await withSession(server, options, async third => {
          const waiting = [await waitingWrite(second), await waitingWrite(third)]
          t.equal(await first.manageTask(Fn.logicalUnitReset), Status.functionComplete)
          for (const initiator of [first, second, third]) {
            t.equal((await initiator.execute(cdb.testUnitReady())).sense, '6/29/03')
            t.equal((await initiator.execute(cdb.testUnitReady())).status, 0)
            t.equal((await initiator.execute(cdb.testUnitReady(), 1)).status, 0, 'the other LUN was not reset')
          }
          for (const [index, initiator] of [second, third].entries()) {
            const { tag: initiatorTaskTag, targetTransferTag } = waiting[index] ?? { tag: 0, targetTransferTag: 0 }
            const fields = { initiatorTaskTag, targetTransferTag, bufferOffset: 0, dataSn: 0, final: true }
            initiator.dataOut(fields, content(BLOCK, 77))
            t.notSame(await initiator.read(0, 1), content(BLOCK, 77), 'the ended write is not carried out')
          }
        })
      })
    })
  })

  await t.test('CLEAR TASK SET tells the sessions whose commands it ended, and no other [SAM-5 §7.4]', async t => {
    const options = { keys, target: SHARED }
    await withSession(server, options, async first => {
      await withSession(server, options, async second => {
        await withSession(server, options, async idle => {
          await waitingWrite(second)
          await waitingWrite(first)
          t.equal(await first.manageTask(Fn.clearTaskSet), Status.functionComplete)
          t.equal((await second.execute(cdb.testUnitReady())).sense, '6/2f/00')
          t.equal((await first.execute(cdb.testUnitReady())).status, 0, 'the one who asked knows')
          t.equal((await idle.execute(cdb.testUnitReady())).status, 0, 'nothing of this one was ended')
        })
      })
    })
  })

  await t.test('TARGET WARM RESET resets every LUN, and the session goes on [7143 §11.5.1]', async t => {
    await withSession(server, { target: SHARED }, async initiator => {
      t.equal(await initiator.manageTask(Fn.targetWarmReset), Status.functionComplete)
      for (const lun of [0, 1]) t.equal((await initiator.execute(cdb.testUnitReady(), lun)).sense, '6/29/03')
    })
  })

  await t.test('functions on a LUN that is not there [7143 §11.6.1]', async t => {
    await withSession(server, {}, async initiator => {
      for (const fn of [Fn.abortTaskSet, Fn.logicalUnitReset]) {
        t.equal(await initiator.manageTask(fn, { lun: 77 }), Status.lunDoesNotExist)
      }
    })
  })

  await t.test('a function that is not there is answered so, and TASK REASSIGN too [7143 §11.6.1]', async t => {
    await withSession(server, {}, async initiator => {
      t.equal(await initiator.manageTask(Fn.taskReassign), Status.reassignmentNotSupported)
      t.equal(await initiator.manageTask(0x55), Status.functionNotSupported)
      t.equal(await initiator.manageTask(Fn.clearAca), Status.functionNotSupported)
    })
  })

  await t.test('a function that is not immediate is carried out in its turn [7143 §4.2.2.1]', async t => {
    await withSession(server, { keys }, async initiator => {
      const { tag, cmdSn } = await waitingWrite(initiator)
      const fields = { immediate: false, referencedTaskTag: tag, refCmdSn: cmdSn }
      t.equal(await initiator.manageTask(Fn.abortTask, fields), Status.functionComplete)
      t.equal(initiator.watch.expCmdSn, initiator.cmdSn)
    })
  })
})
