// Commands over several connections of a session: one order of CmdSN for all, and each command stays on its connection with its data and
// its status [7143 §4.2.2.1, §4.2.2.2]; task management that reaches tasks of other connections [7143 §4.2.3, §11.5].

import { setTimeout } from 'node:timers/promises'
import { RejectReason } from '@scsipub/iscsi'
import { cdb, type Initiator } from '@scsipub/testkit'
import fc from 'fast-check'
import t from 'tap'
import { withServer } from '../harness/server.js'
import { answered, r2tFor, withConnections } from './connections.js'
import { BLOCK, content, takeInWhatIsThere } from './lab.js'

const SOLICITED = { keys: { InitialR2T: 'Yes', ImmediateData: 'No' } }

await withServer(t, { config: { workers: 2 } }, async server => {
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
        t.ok((await slow.collect(tag)).data.equals(data))
      })
    },
  )
})
