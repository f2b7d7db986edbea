// CmdSN, its window, and StatSN [7143 §4.2.2]. That StatSN goes up by one and MaxCmdSN never goes back is watched by the
// initiator in every other suite as well.

import { RejectReason, TaskManagementFunction, TaskManagementStatus } from '@scsipub/iscsi'
import { cdb, type Initiator } from '@scsipub/testkit'
import t from 'tap'
import { withServer } from '../harness/server.js'
import { BLOCK, content, withSession } from './lab.js'

const SOLICITED = { InitialR2T: 'Yes', ImmediateData: 'No' }

await withServer(t, {}, async server => {
  const answered = (initiator: Initiator, tag: number) =>
    initiator.wire.inbox.unread.some(pdu => pdu.initiatorTaskTag === tag)

  for (const [what, offset] of [
    ['an old', -1],
    ['a very old', -0x7000_0000],
    ['one that is beyond MaxCmdSN', 1000],
  ] as const) {
    await t.test(`a command with ${what} CmdSN is ignored in silence [7143 §4.2.2.1]`, async t => {
      await withSession(server, {}, async initiator => {
        const expCmdSn = initiator.watch.expCmdSn
        const tag = initiator.sendCommand({ cdb: cdb.testUnitReady(), cmdSn: (expCmdSn + offset) >>> 0 })
        await initiator.ping()
        t.notOk(answered(initiator, tag), 'neither an answer nor a Reject')
        t.equal(initiator.watch.expCmdSn, expCmdSn)
        t.equal((await initiator.read(0, 1)).length, BLOCK, 'and the session goes on')
      })
    })
  }

  await t.test('the last CmdSN of the window is taken, the one behind it is not [7143 §4.2.2.1]', async t => {
    await withSession(server, {}, async initiator => {
      const { expCmdSn, maxCmdSn } = initiator.watch
      const beyond = initiator.sendCommand({ cdb: cdb.testUnitReady(), cmdSn: (maxCmdSn + 1) >>> 0 })
      const last = initiator.sendCommand({ cdb: cdb.testUnitReady(), cmdSn: maxCmdSn })
      await initiator.ping()
      t.notOk(answered(initiator, last), 'held, its turn has not come')
      for (let cmdSn = expCmdSn; cmdSn !== maxCmdSn; cmdSn = (cmdSn + 1) >>> 0) {
        t.equal((await initiator.collect(initiator.sendCommand({ cdb: cdb.testUnitReady(), cmdSn }))).status, 0)
      }
      t.equal((await initiator.collect(last)).status, 0)
      await initiator.ping()
      t.notOk(answered(initiator, beyond))
      t.equal(initiator.watch.expCmdSn, (maxCmdSn + 1) >>> 0)
    })
  })

  await t.test('commands that arrive out of order are carried out in order [7143 §4.2.2.1]', async t => {
    await withSession(server, {}, async initiator => {
      const first = initiator.cmdSn
      const versions = [1, 2, 3, 4].map(seed => content(4 * BLOCK, seed))
      const tags: number[] = []
      for (const index of [3, 1, 2, 0]) {
        tags[index] = initiator.sendCommand({
          cdb: cdb.write10(0, 4),
          write: true,
          expectedDataTransferLength: 4 * BLOCK,
          data: versions[index] ?? Buffer.alloc(0),
          cmdSn: first + index,
        })
      }
      const statSns: number[] = []
      for (const tag of tags) {
        const { status, statSn } = await initiator.collect(tag)
        t.equal(status, 0)
        statSns.push(statSn)
      }
      t.same(
        statSns,
        [...statSns].sort((a, b) => a - b),
        'answered in the order of their numbers',
      )
      initiator.cmdSn = first + 4
      t.same(await initiator.read(0, 4), versions[3])
    })
  })

  await t.test('a command is carried out once however often its CmdSN comes [7143 §4.2.2.1]', async t => {
    await withSession(server, {}, async initiator => {
      const cmdSn = initiator.cmdSn
      const write = (seed: number) =>
        initiator.sendCommand({
          cdb: cdb.write10(0, 1),
          write: true,
          expectedDataTransferLength: BLOCK,
          data: content(BLOCK, seed),
          cmdSn,
        })
      t.equal((await initiator.collect(write(1))).status, 0)
      const again = write(2)
      initiator.cmdSn = cmdSn + 1
      t.same(await initiator.read(0, 1), content(BLOCK, 1))
      t.notOk(answered(initiator, again))
    })
  })

  await t.test('immediate commands take no CmdSN [7143 §4.2.2.1]', async t => {
    await withSession(server, {}, async initiator => {
      const { cmdSn } = initiator
      for (let count = 0; count < 3; count++) {
        const tag = initiator.sendCommand({ cdb: cdb.testUnitReady(), immediate: true })
        t.equal((await initiator.collect(tag)).status, 0)
        t.equal(initiator.watch.expCmdSn, cmdSn)
      }
      t.equal((await initiator.ping(Buffer.alloc(0), false)).expCmdSn, cmdSn + 1, 'a ping that is not immediate does')
    })
  })

  await t.test('an immediate command does not wait for a gap to be filled [7143 §4.2.2.1]', async t => {
    await withSession(server, {}, async initiator => {
      const held = initiator.sendCommand({ cdb: cdb.testUnitReady(), cmdSn: initiator.cmdSn + 1 })
      const tag = initiator.sendCommand({ cdb: cdb.testUnitReady(), immediate: true })
      t.equal((await initiator.collect(tag)).status, 0)
      t.notOk(answered(initiator, held))
    })
  })

  await t.test(
    'the window closes gently: as many commands as it says, none beyond, and task management still gets through [7143 §4.2.2.1]',
    async t => {
      await withSession(server, { keys: SOLICITED }, async initiator => {
        const data = content(BLOCK, 1)
        while (initiator.watch.maxCmdSn !== (initiator.cmdSn - 1) >>> 0) {
          const tag = initiator.beginWrite(cdb.write10(0, 1), data)
          await initiator.wire.inbox.take({ what: 'R2T', matches: pdu => pdu.initiatorTaskTag === tag })
          if (initiator.cmdSn > 10_000) throw new Error('the window does not close')
        }
        const { expCmdSn, maxCmdSn } = initiator.watch
        t.equal(maxCmdSn, (expCmdSn - 1) >>> 0, 'MaxCmdSN = ExpCmdSN - 1: closed')
        const beyond = initiator.sendCommand({ cdb: cdb.testUnitReady(), cmdSn: expCmdSn })
        await initiator.ping()
        t.notOk(answered(initiator, beyond), 'ignored')
        const response = await initiator.manageTask(TaskManagementFunction.abortTaskSet)
        t.equal(response, TaskManagementStatus.functionComplete)
        t.ok(initiator.watch.maxCmdSn > expCmdSn, 'open again')
        t.equal((await initiator.read(0, 1)).length, BLOCK)
      })
    },
  )

  await t.test(
    'a task tag that is in use is rejected, and the first task goes on [7143 §11.2.1.8, §11.17.1]',
    async t => {
      await withSession(server, { keys: SOLICITED }, async initiator => {
        const data = content(BLOCK, 5)
        const tag = initiator.beginWrite(cdb.write10(0, 1), data)
        initiator.sendCommand({ cdb: cdb.testUnitReady(), initiatorTaskTag: tag })
        t.equal((await initiator.takeReject()).reason, RejectReason.taskInProgress)
        t.equal((await initiator.collect(tag, data)).status, 0)
        t.same(await initiator.read(0, 1), data)
      })
    },
  )

  await t.test('many commands at once are all answered, each for its own task [7143 §4.2.2]', async t => {
    await withSession(server, {}, async initiator => {
      const tags = Array.from({ length: 60 }, (_, index) => {
        const data = content(BLOCK, index)
        return initiator.beginWrite(cdb.write10(index, 1), data)
      })
      for (const tag of tags) t.equal((await initiator.collect(tag)).status, 0)
      const all = await initiator.read(0, 60)
      for (let index = 0; index < 60; index++) {
        t.same(all.subarray(index * BLOCK, (index + 1) * BLOCK), content(BLOCK, index))
      }
    })
  })
})
