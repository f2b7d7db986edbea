// Task management in a session of several connections: it reaches tasks of other connections, and waits for commands before it that are
// under way on them [7143 §4.2.3.3, §11.5].

import {
  nopOut,
  RejectReason,
  TaskManagementFunction,
  TaskManagementStatus,
  taskManagementRequest,
} from '@scsipub/iscsi'
import { encodeLun } from '@scsipub/scsi'
import { cdb, type Initiator } from '@scsipub/testkit'
import t from 'tap'
import { withServer } from '../harness/server.js'
import { answered, r2tFor, withConnections } from './connections.js'
import { BLOCK, content, until } from './lab.js'

const SOLICITED = { keys: { InitialR2T: 'Yes', ImmediateData: 'No' } }
const RESERVED = 0xffffffff

await withServer(t, { config: { workers: 2 } }, async server => {
  /** Sends a task management request and does not wait for its answer. */
  const askFor = (initiator: Initiator, fn: number, fields: { cmdSn?: number } = {}) =>
    initiator.request(taskManagementRequest, {
      immediate: true,
      function: fn,
      referencedTaskTag: RESERVED,
      lun: encodeLun(0),
      ...fields,
    })

  const responseTo = async (initiator: Initiator, tag: number) =>
    (await initiator.wire.inbox.take({ what: 'TMF response', matches: pdu => pdu.initiatorTaskTag === tag })).header[2]

  await t.test('ABORT TASK ends a task of another connection [7143 §11.5.1]', async t => {
    await withConnections(
      server,
      2,
      async (a, b) => {
        const before = await a.read(0, 1)
        const data = content(BLOCK, 3)
        const refCmdSn = a.cmdSn
        const tag = a.beginWrite(cdb.write10(0, 1), data)
        const asked = await r2tFor(a, tag)
        const fields = { referencedTaskTag: tag, refCmdSn }
        t.equal(await b.manageTask(TaskManagementFunction.abortTask, fields), TaskManagementStatus.functionComplete)
        const targetTransferTag = asked.header.readUInt32BE(20)
        a.dataOut({ initiatorTaskTag: tag, bufferOffset: 0, dataSn: 0, final: true, targetTransferTag }, data)
        await a.ping()
        t.notOk(answered(a, tag))
        t.same(await a.read(0, 1), before)
        t.equal(await b.manageTask(TaskManagementFunction.abortTask, fields), TaskManagementStatus.taskDoesNotExist)
      },
      SOLICITED,
    )
  })

  await t.test(
    'ABORT TASK SET waits for commands before it that come by another connection, and ends them [7143 §4.2.3.3]',
    async t => {
      await withConnections(
        server,
        3,
        async (a, b, c) => {
          const before = await a.read(0, 2)
          const cmdSn = a.cmdSn
          a.cmdSn = cmdSn + 2
          const open = c.sendCommand({
            cdb: cdb.write10(1, 1),
            write: true,
            expectedDataTransferLength: BLOCK,
            cmdSn: cmdSn + 1,
          })
          const function_ = askFor(b, TaskManagementFunction.abortTaskSet)
          await b.ping()
          t.notOk(answered(b, function_), 'not yet')
          const late = a.sendCommand({ cdb: cdb.write10(0, 1), write: true, expectedDataTransferLength: BLOCK, cmdSn })
          t.equal(await responseTo(b, function_), TaskManagementStatus.functionComplete)
          for (const [by, tag] of [
            [a, late],
            [c, open],
          ] as const) {
            const asked = await r2tFor(by, tag)
            const targetTransferTag = asked.header.readUInt32BE(20)
            by.dataOut(
              { initiatorTaskTag: tag, bufferOffset: 0, dataSn: 0, final: true, targetTransferTag },
              content(BLOCK, 9),
            )
            await by.ping()
            t.notOk(answered(by, tag), 'aborted')
          }
          t.same(await a.read(0, 2), before)
        },
        SOLICITED,
      )
    },
  )

  await t.test('what waits for a command of a connection that is lost goes on without it [7143 §4.2.3.3]', async t => {
    await withConnections(server, 2, async (a, b) => {
      a.cmdSn += 1
      const function_ = askFor(a, TaskManagementFunction.abortTaskSet)
      await a.ping()
      t.notOk(answered(a, function_))
      await b.close('reset')
      t.equal(await responseTo(a, function_), TaskManagementStatus.functionComplete)
      const gap = a.cmdSn - 1
      t.equal(
        (await a.collect(a.sendCommand({ cdb: cdb.testUnitReady(), cmdSn: gap }))).status,
        0,
        'the gap can be filled',
      )
      t.equal((await a.read(0, 1)).length, BLOCK)
    })
  })

  await t.test('TARGET WARM RESET passes over commands before it that have not come [7143 §4.2.3.3]', async t => {
    await withConnections(server, 2, async (a, b) => {
      const before = await a.read(0, 1)
      const cmdSn = a.cmdSn
      a.cmdSn = cmdSn + 1
      const function_ = askFor(b, TaskManagementFunction.targetWarmReset)
      t.equal(await responseTo(b, function_), TaskManagementStatus.functionComplete)
      const data = content(BLOCK, 5)
      const late = a.sendCommand({
        cdb: cdb.write10(0, 1),
        write: true,
        expectedDataTransferLength: BLOCK,
        data,
        cmdSn,
      })
      t.equal((await a.ping()).expCmdSn, cmdSn + 1)
      t.notOk(answered(a, late), 'too late')
      t.equal((await a.execute(cdb.testUnitReady())).sense, '6/29/03')
      t.same(await b.read(0, 1), before)
    })
  })

  await t.test(
    'so many task management requests wait, and no more; the others are rejected [7143 §11.17.1]',
    async t => {
      await withConnections(server, 2, async (a, b) => {
        a.cmdSn += 1
        for (let count = 0; count < 40; count++) askFor(b, TaskManagementFunction.abortTaskSet)
        for (let count = 0; count < 8; count++)
          t.equal((await b.takeReject()).reason, RejectReason.immediateCommandReject)
        a.request(nopOut, { targetTransferTag: RESERVED, cmdSn: a.cmdSn - 1 })
        await until('the others are answered', () => b.wire.inbox.unread.length >= 32)
        await b.ping()
        t.equal(b.wire.inbox.unread.length, 32)
      })
    },
  )
})
