// Commands over several connections of a session: one order of CmdSN for all, and each command stays on its connection with its data and
// its status [7143 §4.2.2.1, §4.2.2.2]; task management that reaches tasks of other connections [7143 §4.2.3, §11.5].

import { setTimeout } from 'node:timers/promises'
import {
  nopOut,
  RejectReason,
  TaskManagementFunction,
  TaskManagementStatus,
  taskManagementRequest,
} from '@scsipub/iscsi'
import { encodeLun } from '@scsipub/scsi'
import { cdb, type Initiator } from '@scsipub/testkit'
import fc from 'fast-check'
import t from 'tap'
import { withServer } from '../harness/server.js'
import { withConnections } from './connections.js'
import { BLOCK, content, takeInWhatIsThere } from './lab.js'

const SOLICITED = { keys: { InitialR2T: 'Yes', ImmediateData: 'No' } }
const RESERVED = 0xffffffff

await withServer(t, { config: { workers: 2 } }, async server => {
  const r2tFor = (initiator: Initiator, tag: number) =>
    initiator.wire.inbox.take({ what: 'R2T', matches: pdu => pdu.opcode === 0x31 && pdu.initiatorTaskTag === tag })

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

  const answered = (initiator: Initiator, tag: number) =>
    initiator.wire.inbox.unread.some(pdu => pdu.initiatorTaskTag === tag)

  await t.test(
    'a command waits for one with a lower CmdSN that comes by another connection [7143 §4.2.2.1]',
    async t => {
      await withConnections(server, 2, async (a, b) => {
        const cmdSn = a.cmdSn
        const write = (by: Initiator, seed: number, sn: number) =>
          by.sendCommand({
            cdb: cdb.write10(0, 1),
            write: true,
            expectedDataTransferLength: BLOCK,
            data: content(BLOCK, seed),
            cmdSn: sn,
          })
        const second = write(b, 2, cmdSn + 1)
        await b.ping()
        t.notOk(answered(b, second), 'held')
        const first = write(a, 1, cmdSn)
        a.cmdSn = cmdSn + 2
        t.equal((await a.collect(first)).status, 0, 'answered where it came')
        t.equal((await b.collect(second)).status, 0, 'as is the other one')
        t.same(await a.read(0, 1), content(BLOCK, 2))
        await takeInWhatIsThere()
        t.same(a.wire.inbox.unread, [])
        t.same(b.wire.inbox.unread, [])
      })
    },
  )

  await t.test(
    'ExpCmdSN and MaxCmdSN are of the session, StatSN is of the connection [7143 §4.2.2.1, §4.2.2.2]',
    async t => {
      await withConnections(server, 2, async (a, b) => {
        const before = b.watch.expStatSn
        for (let count = 0; count < 5; count++) await a.execute(cdb.testUnitReady())
        t.equal((await b.ping()).expCmdSn, a.cmdSn)
        t.equal(b.watch.maxCmdSn, a.watch.maxCmdSn)
        t.equal(b.watch.expStatSn, (before + 1) >>> 0)
      })
    },
  )

  /** Each connection sends its share of `steps`, in order and with its delays; all of them are waited for. */
  const scatter = async <S extends { by: number; delayMs: number }>(
    all: readonly Initiator[],
    steps: readonly S[],
    send: (initiator: Initiator, step: S) => Promise<boolean>,
  ): Promise<boolean> => {
    const shares = all.map(async (initiator, by) => {
      const done: Promise<boolean>[] = []
      for (const step of steps.filter(step => step.by === by)) {
        if (step.delayMs > 0) await setTimeout(step.delayMs)
        done.push(send(initiator, step))
      }
      return Promise.all(done)
    })
    return (await Promise.all(shares)).flat().every(Boolean)
  }
  const step = fc.record({ by: fc.nat(3), delayMs: fc.nat(3), place: fc.nat(4) })
  const numbered = <S>(all: readonly Initiator[], steps: readonly S[]): (S & { cmdSn: number })[] => {
    const first = all[0] as Initiator
    const start = first.cmdSn
    first.cmdSn = (start + steps.length) >>> 0
    return steps.map((step, index) => ({ ...step, cmdSn: (start + index) >>> 0 }))
  }

  await t.test(
    'of writes over four connections the one with the highest CmdSN is the last [7143 §4.2.2.1]',
    async t => {
      await withConnections(server, 4, async (...all) => {
        let seed = 0
        const property = fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 80 }), async steps => {
          const expected = new Map<number, Buffer>()
          const writes = numbered(all, steps).map(one => ({ ...one, data: content(2 * BLOCK, ++seed) }))
          for (const { place, data } of writes) expected.set(place, data)
          const good = await scatter(all, writes, async (initiator, { place, data, cmdSn }) => {
            const cdb16 = cdb.write16(place * 2, 2)
            const fields = { cdb: cdb16, write: true, expectedDataTransferLength: data.length, data, cmdSn }
            return (await initiator.collect(initiator.sendCommand(fields))).status === 0
          })
          for (const [place, data] of expected) if (!(await all[0].read(place * 2, 2)).equals(data)) return false
          return good
        })
        await t.resolves(fc.assert(property, { numRuns: 40 }))
      })
    },
  )

  await t.test(
    'writes, solicited or not, and reads over four connections, with delays, all get their own data [7143 §4.2.2]',
    async t => {
      const work = async (...all: [Initiator, Initiator, Initiator, Initiator]) => {
        let seed = 1000
        const property = fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 30 }), async steps => {
          const writes = numbered(all, steps).map((one, index) => ({
            ...one,
            place: index,
            data: content(16 * BLOCK, ++seed),
          }))
          const good = await scatter(all, writes, async (initiator, { place, data, cmdSn }) => {
            const tag = initiator.beginWrite(cdb.write16(place * 16, 16), data, { cmdSn })
            return (await initiator.collect(tag, data)).status === 0
          })
          const reads = numbered(all, writes)
          const same = await scatter(all, reads, async (initiator, { place, data, cmdSn }) => {
            const fields = {
              cdb: cdb.read16(place * 16, 16),
              read: true,
              expectedDataTransferLength: data.length,
              cmdSn,
            }
            return (await initiator.collect(initiator.sendCommand(fields))).data.equals(data)
          })
          return good && same
        })
        await t.resolves(fc.assert(property, { numRuns: 25 }))
      }
      await withConnections(server, 4, work, { keys: { ...SOLICITED.keys, MaxBurstLength: '2048' } })
      await withConnections(server, 4, work, { keys: { FirstBurstLength: '4096', ImmediateData: 'No' } })
      await withConnections(server, 4, work, { keys: { FirstBurstLength: '4096' } })
    },
  )

  await t.test('unsolicited data of a command that waits for its turn are kept for it [7143 §4.2.4.2]', async t => {
    await withConnections(server, 2, async (a, b) => {
      const cmdSn = a.cmdSn
      const data = content(16 * BLOCK, 3)
      const share = { immediate: BLOCK, unsolicited: 16 * BLOCK }
      b.longestSegment = 4 * BLOCK
      const write = b.beginWrite(cdb.write10(0, 16), data, { share, cmdSn: cmdSn + 1 })
      await b.ping()
      t.equal((await a.collect(a.sendCommand({ cdb: cdb.testUnitReady(), cmdSn }))).status, 0)
      a.cmdSn = cmdSn + 2
      t.equal((await b.collect(write)).status, 0)
      t.same(await a.read(0, 16), data)
      const more = b.sendCommand({ cdb: cdb.testUnitReady(), cmdSn: a.cmdSn + 1 })
      const fields = { initiatorTaskTag: more, bufferOffset: 0, dataSn: 0, final: false }
      b.dataOut(fields, Buffer.alloc(256 << 10))
      b.dataOut(fields, Buffer.alloc(1))
      t.equal((await b.takeReject()).reason, RejectReason.protocolError, 'more than FirstBurstLength')
    })
  })

  await t.test(
    'R2Ts come by the connection of their command, and data by another one are rejected [7143 §4.2.2.1]',
    async t => {
      await withConnections(
        server,
        2,
        async (a, b) => {
          const data = content(4 * BLOCK, 7)
          const tag = a.beginWrite(cdb.write10(0, 4), data)
          const asked = await r2tFor(a, tag)
          const fields = { initiatorTaskTag: tag, bufferOffset: 0, dataSn: 0, final: true }
          b.dataOut({ ...fields, targetTransferTag: asked.header.readUInt32BE(20) }, content(4 * BLOCK, 8))
          t.equal((await b.takeReject()).reason, RejectReason.protocolError)
          t.same(b.wire.inbox.unread, [])
          a.dataOut({ ...fields, targetTransferTag: asked.header.readUInt32BE(20) }, data)
          t.equal((await a.collect(tag)).status, 0, 'the command has lost nothing by it')
          t.same(await b.read(0, 4), data)
        },
        SOLICITED,
      )
    },
  )

  await t.test('a task tag is in use on all connections of the session [7143 §11.2.1.8]', async t => {
    await withConnections(
      server,
      2,
      async (a, b) => {
        const data = content(BLOCK, 1)
        const tag = a.beginWrite(cdb.write10(0, 1), data)
        await a.ping()
        b.sendCommand({ cdb: cdb.testUnitReady(), initiatorTaskTag: tag })
        t.equal((await b.takeReject()).reason, RejectReason.taskInProgress)
        t.equal((await a.collect(tag, data)).status, 0)
      },
      SOLICITED,
    )
  })

  await t.test(
    'the window is of the session: commands on all connections fill it together [7143 §4.2.2.1]',
    async t => {
      await withConnections(
        server,
        4,
        async (...all) => {
          const [first] = all
          const data = content(BLOCK, 1)
          const room = (first.watch.maxCmdSn - first.cmdSn + 1) >>> 0
          const tags: [Initiator, number][] = []
          for (let count = 0; count < room; count++) {
            const by = all[count % 4] as Initiator
            tags.push([by, by.beginWrite(cdb.write10(0, 1), data)])
          }
          await Promise.all(tags.map(([by, tag]) => r2tFor(by, tag).then(r2t => by.wire.inbox.deliver(r2t))))
          const { expCmdSn, maxCmdSn } = await first.ping()
          t.equal(maxCmdSn, (expCmdSn - 1) >>> 0, 'closed')
          for (const [by, tag] of tags) t.equal((await by.collect(tag, data)).status, 0)
          const open = await first.ping()
          t.equal((open.maxCmdSn - open.expCmdSn + 1) >>> 0, room, 'open again')
        },
        SOLICITED,
      )
    },
  )

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
        await b.ping()
        t.equal(b.wire.inbox.unread.length, 32)
      })
    },
  )

  await t.test(
    'a read that its connection does not take in holds up no command of another one [7143 §4.2.2]',
    async t => {
      await withConnections(server, 2, async (slow, quick) => {
        const data = content(8 << 20, 6)
        await quick.write(0, data)
        slow.wire.stopReading()
        const fields = { cdb: cdb.read16(0, data.length / BLOCK), read: true, expectedDataTransferLength: data.length }
        const tag = slow.sendCommand(fields)
        for (let at = 0; at < 20; at++) {
          t.ok((await quick.read(at, 8)).equals(data.subarray(at * BLOCK, (at + 8) * BLOCK)))
        }
        slow.wire.goOnReading()
        t.ok((await slow.collect(tag, undefined, 30_000)).data.equals(data))
      })
    },
  )
})
