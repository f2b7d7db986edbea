// Data of writes: immediate, unsolicited, asked for by R2T, and every way to get it wrong [7143 §4.2.4, §11.7, §11.8].

import { type R2t, RejectReason, r2t } from '@scsipub/iscsi'
import { cdb, type DataOutFields, type Initiator } from '@scsipub/testkit'
import t from 'tap'
import { withServer } from '../harness/server.js'
import { BLOCK, content, withSession } from './lab.js'

const SOLICITED = { InitialR2T: 'Yes', ImmediateData: 'No' }
const BLOCKS = 8
const LENGTH = BLOCKS * BLOCK
const OLD = content(LENGTH, 1)
const NEW = content(LENGTH, 2)

await withServer(t, {}, async server => {
  /** A write of NEW over OLD that waits for its data. */
  async function waiting(initiator: Initiator): Promise<{ tag: number; request: R2t; good: DataOutFields }> {
    await initiator.write(0, OLD)
    const tag = initiator.beginWrite(cdb.write10(0, BLOCKS), NEW)
    const request = await initiator.take(r2t, tag)
    const { targetTransferTag } = request
    return { tag, request, good: { initiatorTaskTag: tag, targetTransferTag, bufferOffset: 0, dataSn: 0, final: true } }
  }

  // --- as it should be

  await t.test('R2Ts ask for everything once, in order, MaxBurstLength at a time [7143 §11.8, §13.13]', async t => {
    const keys = { ...SOLICITED, MaxBurstLength: '4096', MaxOutstandingR2T: '1' }
    await withSession(server, { keys }, async initiator => {
      const data = content(5 * 4096 + BLOCK, 3)
      const { r2ts, status } = await initiator.executeWrite(cdb.write10(0, data.length / BLOCK), data)
      t.equal(status, 0)
      t.same(
        r2ts.map(({ bufferOffset, desiredDataTransferLength }) => [bufferOffset, desiredDataTransferLength]),
        [0, 1, 2, 3, 4, 5].map(index => [index * 4096, index < 5 ? 4096 : BLOCK]),
      )
      t.equal(new Set(r2ts.map(({ targetTransferTag }) => targetTransferTag)).size, 6, 'each with a tag of its own')
      t.same(await initiator.read(0, data.length / BLOCK), data)
    })
  })

  for (const outstanding of [1, 2, 5]) {
    await t.test(`no more than ${outstanding} R2Ts of a task are out at a time [7143 §13.17]`, async t => {
      const keys = { ...SOLICITED, MaxBurstLength: '512', MaxOutstandingR2T: String(outstanding) }
      await withSession(server, { keys }, async initiator => {
        const tag = initiator.beginWrite(cdb.write10(0, BLOCKS), NEW)
        await initiator.ping()
        const out = initiator.wire.inbox.unread.filter(pdu => pdu.initiatorTaskTag === tag)
        t.ok(out.length >= 1 && out.length <= outstanding, `${out.length} are out`)
        t.equal((await initiator.collect(tag, NEW)).status, 0)
        t.same(await initiator.read(0, BLOCKS), NEW)
      })
    })
  }

  await t.test('data goes with the command, behind it unasked, and the rest on R2T [7143 §4.2.4.2]', async t => {
    const keys = { InitialR2T: 'No', ImmediateData: 'Yes', FirstBurstLength: '2048', MaxBurstLength: '4096' }
    await withSession(server, { keys }, async initiator => {
      const share = { immediate: 700, unsolicited: 2048 }
      const { status, r2ts } = await initiator.executeWrite(cdb.write10(0, BLOCKS), NEW, { share })
      t.equal(status, 0)
      t.match(r2ts, [{ bufferOffset: 2048, desiredDataTransferLength: 2048 }])
      t.same(await initiator.read(0, BLOCKS), NEW)
    })
  })

  await t.test('the initiator may end its unsolicited data early, the rest is asked for [7143 §11.7.1]', async t => {
    await withSession(server, {}, async initiator => {
      const share = { immediate: 0, unsolicited: 512 }
      const { status, r2ts } = await initiator.executeWrite(cdb.write10(0, BLOCKS), NEW, { share })
      t.equal(status, 0)
      t.match(r2ts, [{ bufferOffset: 512, desiredDataTransferLength: LENGTH - 512 }])
      t.same(await initiator.read(0, BLOCKS), NEW)
    })
  })

  await t.test('data of several tasks may be mixed [7143 §4.2.4]', async t => {
    await withSession(server, { keys: SOLICITED }, async initiator => {
      initiator.longestSegment = BLOCK
      const datas = [1, 2, 3].map(seed => content(LENGTH, seed))
      const tags = datas.map((data, index) => initiator.beginWrite(cdb.write10(index * BLOCKS, BLOCKS), data))
      const requests = await Promise.all(tags.map(tag => initiator.take(r2t, tag)))
      for (let dataSn = 0; dataSn < BLOCKS; dataSn++) {
        for (const { initiatorTaskTag, targetTransferTag } of requests) {
          const bufferOffset = dataSn * BLOCK
          const data = datas[tags.indexOf(initiatorTaskTag)] ?? Buffer.alloc(0)
          const final = dataSn === BLOCKS - 1
          const fields = { initiatorTaskTag, targetTransferTag, bufferOffset, dataSn, final }
          initiator.dataOut(fields, data.subarray(bufferOffset, bufferOffset + BLOCK))
        }
      }
      for (const tag of tags) t.equal((await initiator.collect(tag)).status, 0)
      t.same(await initiator.read(0, 3 * BLOCKS), Buffer.concat(datas))
    })
  })

  // --- and otherwise

  const wrong: Readonly<Record<string, (good: DataOutFields) => readonly [DataOutFields, Buffer]>> = {
    'a wrong offset [7143 §11.7.6]': good => [{ ...good, bufferOffset: BLOCK }, NEW.subarray(BLOCK)],
    'a wrong DataSN [7143 §11.7.5]': good => [{ ...good, dataSn: 1 }, NEW],
    'more than was asked for [7143 §11.8.4]': good => [good, Buffer.concat([NEW, NEW.subarray(0, BLOCK)])],
    'less than was asked for, with F [7143 §11.7.1]': good => [good, NEW.subarray(0, BLOCK)],
    'all that was asked for, without F [7143 §11.7.1]': good => [{ ...good, final: false }, NEW],
  }
  for (const [title, make] of Object.entries(wrong)) {
    await t.test(`a Data-Out with ${title} ends the write, which has changed nothing`, async t => {
      await withSession(server, { keys: SOLICITED }, async initiator => {
        const { tag, good } = await waiting(initiator)
        initiator.dataOut(...make(good))
        const { status, sense } = await initiator.collect(tag)
        t.equal(status, 2)
        t.match(sense, /^b\//, 'ABORTED COMMAND: it may be tried again')
        t.same(await initiator.read(0, BLOCKS), OLD)
        await initiator.write(0, NEW)
        t.same(await initiator.read(0, BLOCKS), NEW, 'the session goes on')
      })
    })
  }

  await t.test('a wrong DataSN in the middle of a burst ends the write [7143 §11.7.5]', async t => {
    await withSession(server, { keys: SOLICITED }, async initiator => {
      const { tag, good } = await waiting(initiator)
      initiator.dataOut({ ...good, final: false }, NEW.subarray(0, BLOCK))
      initiator.dataOut({ ...good, bufferOffset: BLOCK, dataSn: 2 }, NEW.subarray(BLOCK))
      t.match(await initiator.collect(tag), { status: 2 })
      t.same(await initiator.read(0, BLOCKS), OLD)
    })
  })

  await t.test(
    'a Data-Out with a wrong TTT is rejected, the write still waits for its data [7143 §11.7.4]',
    async t => {
      await withSession(server, { keys: SOLICITED }, async initiator => {
        const { tag, good } = await waiting(initiator)
        initiator.dataOut({ ...good, targetTransferTag: (good.targetTransferTag ?? 0) + 77 }, NEW)
        const { reason, rejected } = await initiator.takeReject()
        t.equal(reason, RejectReason.protocolError)
        t.equal(rejected.readUInt32BE(16), tag)
        initiator.dataOut(good, NEW)
        t.equal((await initiator.collect(tag)).status, 0)
        t.same(await initiator.read(0, BLOCKS), NEW)
      })
    },
  )

  await t.test('a TTT of another task is a wrong one [7143 §11.7.4]', async t => {
    await withSession(server, { keys: SOLICITED }, async initiator => {
      const { tag, good } = await waiting(initiator)
      const other = initiator.beginWrite(cdb.write10(100, BLOCKS), NEW)
      const { targetTransferTag } = await initiator.take(r2t, other)
      initiator.dataOut({ ...good, targetTransferTag }, NEW)
      t.equal((await initiator.takeReject()).reason, RejectReason.protocolError)
      initiator.dataOut(good, NEW)
      t.equal((await initiator.collect(tag)).status, 0)
      t.same(await initiator.read(100, BLOCKS), Buffer.alloc(LENGTH), 'the other one got nothing')
    })
  })

  await t.test('a TTT is used up when its burst is complete [7143 §11.8.5]', async t => {
    await withSession(
      server,
      { keys: { ...SOLICITED, MaxBurstLength: '512', MaxOutstandingR2T: '1' } },
      async initiator => {
        const { tag, good } = await waiting(initiator)
        initiator.dataOut(good, NEW.subarray(0, BLOCK))
        await initiator.take(r2t, tag)
        initiator.dataOut({ ...good, bufferOffset: BLOCK }, NEW.subarray(BLOCK, 2 * BLOCK))
        t.equal((await initiator.takeReject()).reason, RejectReason.protocolError)
      },
    )
  })

  await t.test('data for a task that is not there is dropped, and the session goes on [7143 §11.7]', async t => {
    await withSession(server, {}, async initiator => {
      initiator.dataOut({ initiatorTaskTag: 0x4444, bufferOffset: 0, dataSn: 0, final: true }, NEW)
      initiator.dataOut(
        { initiatorTaskTag: 0x4444, targetTransferTag: 5, bufferOffset: 0, dataSn: 0, final: true },
        NEW,
      )
      t.same(await initiator.read(0, BLOCKS), Buffer.alloc(LENGTH))
    })
  })

  await t.test('unsolicited data that nobody announced ends the write: B/0C/0C [7143 §11.4.7.2]', async t => {
    await withSession(server, { keys: SOLICITED }, async initiator => {
      const { tag } = await waiting(initiator)
      initiator.dataOut({ initiatorTaskTag: tag, bufferOffset: 0, dataSn: 0, final: true }, NEW)
      t.match(await initiator.collect(tag), { status: 2, sense: 'b/0c/0c' })
      t.same(await initiator.read(0, BLOCKS), OLD)
    })
  })

  await t.test('unsolicited data beyond FirstBurstLength ends the write [7143 §13.14]', async t => {
    const keys = { InitialR2T: 'No', ImmediateData: 'No', FirstBurstLength: '512' }
    await withSession(server, { keys }, async initiator => {
      await initiator.write(0, OLD)
      const share = { immediate: 0, unsolicited: 1024 }
      t.match(await initiator.executeWrite(cdb.write10(0, BLOCKS), NEW, { share }), { status: 2 })
      t.same(await initiator.read(0, BLOCKS), OLD)
    })
  })

  const forbidden = [
    ['immediate data although ImmediateData=No [7143 §13.11]', { ImmediateData: 'No' }, { immediate: BLOCK }],
    ['immediate data beyond FirstBurstLength [7143 §13.14]', { FirstBurstLength: '512' }, { immediate: LENGTH }],
    [
      'unsolicited data although InitialR2T=Yes [7143 §13.10]',
      { InitialR2T: 'Yes' },
      { immediate: 0, unsolicited: BLOCK },
    ],
  ] as const
  for (const [title, keys, share] of forbidden) {
    await t.test(`${title}: the write is not carried out`, async t => {
      await withSession(server, { keys }, async initiator => {
        await initiator.write(0, OLD)
        const tag = initiator.beginWrite(cdb.write10(0, BLOCKS), NEW, { share })
        await initiator.ping()
        const answers = initiator.wire.inbox.unread
        const refused = answers.some(pdu => pdu.opcode === 0x3f) || (await initiator.collect(tag, NEW)).status !== 0
        t.ok(refused, 'a Reject or CHECK CONDITION')
        t.same(await initiator.read(0, BLOCKS), OLD)
      })
    })
  }

  await t.test('a write that fails at once is answered before its data, which is dropped [7143 §11.4]', async t => {
    await withSession(server, {}, async initiator => {
      const share = { immediate: 0, unsolicited: LENGTH }
      const { sense } = await initiator.executeWrite(cdb.write10(0xfffffff0, BLOCKS), NEW, { share })
      t.equal(sense, '5/21/00')
      await initiator.ping()
      t.same(initiator.wire.inbox.unread, [])
    })
  })
})
