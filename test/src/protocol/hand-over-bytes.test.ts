// Bytes that are on their way when a session goes from worker to worker: half a PDU received, wherever it is cut; data that a command waits for; answers that the
// initiator does not read.

import { nopIn, nopOut, type R2t, RESERVED_TAG, r2t, scsiResponse, wholePdu } from '@scsipub/iscsi'
import { cdb, type Initiator } from '@scsipub/testkit'
import fc from 'fast-check'
import t from 'tap'
import { LAB, withMovingServer } from './hand-over-lab.js'
import { BLOCK, content, withSession } from './lab.js'

const SOLICITED = { InitialR2T: 'Yes', ImmediateData: 'No' }
const DIGESTS = { HeaderDigest: 'CRC32C', DataDigest: 'CRC32C' }
const AHS_BYTES = 8
const TEXT = Buffer.from('seven b')

/** A ping with additional headers, data and padding, as bytes; nothing of it has been sent. */
function ping(initiator: Initiator, data: Buffer): { tag: number; bytes: Buffer } {
  const tag = initiator.takeTag()
  const fields = { immediate: true, initiatorTaskTag: tag, targetTransferTag: RESERVED_TAG, ...initiator.numbers(true) }
  // An additional header of a type that nobody knows is passed over [7143 §11.2.2].
  const ahs = Buffer.from([0x00, 0x05, 0x3f, 0, 0, 0, 0, 0])
  const { headerDigest: header, dataDigest } = initiator.agreed
  return { tag, bytes: wholePdu(Buffer.concat([nopOut.encode(fields), ahs]), data, { header, data: dataDigest }) }
}

await withMovingServer(t, async server => {
  for (const [title, keys] of Object.entries({ 'without digests': {}, 'with digests': DIGESTS })) {
    await t.test(`a PDU cut at every byte of header, additional header, data and padding, ${title}`, async t => {
      await withSession(server, { target: LAB, keys }, async initiator => {
        const size = ping(initiator, TEXT).bytes.length
        t.equal(size, 48 + AHS_BYTES + 8 + (keys === DIGESTS ? 8 : 0))
        for (let at = 0; at <= size; at++) {
          const { tag, bytes } = ping(initiator, TEXT)
          initiator.wire.sendRaw(bytes.subarray(0, at))
          await server.moveAll()
          initiator.wire.sendRaw(bytes.subarray(at))
          const answer = await initiator.takePdu(nopIn, tag)
          if (!answer.data.equals(TEXT)) t.fail(`cut at ${at}: the echo is ${answer.data.toString('hex')}`)
        }
        t.equal((await initiator.execute(cdb.testUnitReady())).status, 0)
      })
    })
  }

  await t.test('a stream of pings of any size, cut anywhere, with moves at the cuts', async t => {
    await withSession(server, { target: LAB, keys: DIGESTS }, async initiator => {
      const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 4 })
      const sizes = fc.array(fc.oneof(fc.nat(80), fc.nat(60_000)), { minLength: 1, maxLength: 4 })
      await fc.assert(
        fc.asyncProperty(sizes, cuts, async (sizes, cuts) => {
          const sent = sizes.map((size, seed) => ({
            ...ping(initiator, content(size, seed)),
            data: content(size, seed),
          }))
          const stream = Buffer.concat(sent.map(({ bytes }) => bytes))
          let at = 0
          for (const cut of [...cuts].sort((a, b) => a - b)) {
            const end = Math.floor(cut * stream.length)
            initiator.wire.sendRaw(stream.subarray(at, end))
            await server.moveAll()
            at = end
          }
          initiator.wire.sendRaw(stream.subarray(at))
          for (const { tag, data } of sent) {
            const { data: echo } = await initiator.takePdu(nopIn, tag)
            if (!echo.equals(data)) throw new Error(`task ${tag}: another echo`)
          }
        }),
        { numRuns: 25 },
      )
      t.pass('every ping was echoed')
    })
  })

  await t.test(
    'R2Ts outstanding, some answered, one by half; the parts come in different workers [7143 §11.8]',
    async t => {
      const keys = { ...SOLICITED, MaxBurstLength: '4096', MaxOutstandingR2T: '4' }
      await withSession(server, { target: LAB, keys }, async initiator => {
        const data = content(6 * 4096, 7)
        const tag = initiator.beginWrite(cdb.write10(100, data.length / BLOCK), data)
        const asked: R2t[] = []
        for (let count = 0; count < 4; count++) asked.push(await initiator.take(r2t, tag))
        const answer = (index: number, from: number, to: number, dataSn: number) => {
          const { targetTransferTag, bufferOffset } = asked[index]!
          const fields = { initiatorTaskTag: tag, targetTransferTag, dataSn, final: to === 4096 }
          initiator.dataOut(
            { ...fields, bufferOffset: bufferOffset + from },
            data.subarray(bufferOffset + from, bufferOffset + to),
          )
        }
        answer(2, 0, 4096, 0)
        answer(1, 0, 1024, 0)
        await initiator.ping()
        await server.moveAll()
        answer(1, 1024, 2048, 1)
        answer(0, 0, 4096, 0)
        await initiator.ping()
        await server.moveAll()
        answer(1, 2048, 4096, 2)
        answer(3, 0, 4096, 0)
        for (let index = 4; index < 6; index++) {
          asked.push(await initiator.take(r2t, tag))
          answer(index, 0, 4096, 0)
        }
        t.same(
          asked.map(({ r2tSn, bufferOffset }) => [r2tSn, bufferOffset]),
          [0, 1, 2, 3, 4, 5].map(index => [index, index * 4096]),
        )
        t.equal((await initiator.take(scsiResponse, tag)).status, 0)
        t.ok((await initiator.read(100, data.length / BLOCK)).equals(data))
      })
    },
  )

  await t.test('unsolicited Data-Out half received, with and without immediate data [7143 §4.2.4.2]', async t => {
    await withSession(server, { target: LAB, keys: { FirstBurstLength: '16384' } }, async initiator => {
      initiator.longestSegment = 2048
      for (const immediate of [0, 1024, 4096]) {
        const data = content(64 * BLOCK, immediate + 1)
        const tag = initiator.beginWrite(cdb.write10(200, 64), data, { share: { immediate } })
        t.equal((await initiator.collect(tag, data)).status, 0)
        const half = initiator.sendCommand({
          cdb: cdb.write10(300, 64),
          write: true,
          expectedDataTransferLength: data.length,
          final: false,
          data: data.subarray(0, immediate),
        })
        let dataSn = 0
        for (let at = immediate; at < 16384; at += 2048, dataSn++) {
          const end = Math.min(16384, at + 2048)
          const fields = { initiatorTaskTag: half, bufferOffset: at, dataSn, final: end === 16384 }
          initiator.dataOut(fields, data.subarray(at, end))
          if (dataSn % 3 === 1) await server.moveAll()
        }
        t.equal((await initiator.collect(half, data)).status, 0)
        t.ok((await initiator.read(300, 64)).equals(data), `${immediate} bytes immediate`)
      }
    })
  })

  await t.test('more writes than the session has memory for wait in their order', async t => {
    await withSession(server, { target: LAB, keys: { ...SOLICITED, MaxBurstLength: '1048576' } }, async initiator => {
      const blocks = (7 << 20) / BLOCK
      const datas = [1, 2, 3, 4, 5, 6].map(seed => content(blocks * BLOCK, seed))
      const tags = datas.map((data, index) => initiator.beginWrite(cdb.write10(index * blocks, blocks), data))
      await initiator.ping()
      await server.moveAll()
      const results = await Promise.all(tags.map((tag, index) => initiator.collect(tag, datas[index])))
      t.same(
        results.map(({ status }) => status),
        datas.map(() => 0),
      )
      for (const [index, data] of datas.entries()) t.ok((await initiator.read(index * blocks, blocks)).equals(data))
    })
  })

  for (const [title, keys] of Object.entries({ 'without digests': {}, 'with digests': DIGESTS })) {
    await t.test(
      `16 MiB of answers that the initiator does not read, ${title}: not a byte is lost or said twice`,
      async t => {
        await withSession(server, { target: LAB, keys }, async initiator => {
          const blocks = 2048
          const datas = Array.from({ length: 16 }, (_, index) => content(blocks * BLOCK, index))
          for (const [index, data] of datas.entries()) await initiator.write(index * blocks, data)
          initiator.wire.stopReading()
          const read = { read: true, expectedDataTransferLength: blocks * BLOCK }
          const tags = datas.map((_, index) =>
            initiator.sendCommand({ cdb: cdb.read10(index * blocks, blocks), ...read }),
          )
          for (let turn = 0; turn < 4; turn++) {
            await server.moveAll()
            // A little is read in between, so that the queue has another beginning each time.
            initiator.wire.goOnReading()
            await new Promise(resolve => setImmediate(resolve))
            initiator.wire.stopReading()
          }
          initiator.wire.goOnReading()
          for (const [index, tag] of tags.entries()) {
            const { status, data } = await initiator.collect(tag)
            t.ok(status === 0 && data.equals(datas[index]!), `READ ${index}`)
          }
        })
      },
    )
  }

  await t.test('long answers that do not come from a volume wait, too', async t => {
    await withSession(server, { target: LAB, keys: { MaxRecvDataSegmentLength: '512' } }, async initiator => {
      const expected = await initiator.executeRead(cdb.reportLuns(), 4096)
      initiator.wire.stopReading()
      const blocks = 8192
      const big = initiator.sendCommand({
        cdb: cdb.read10(0, blocks),
        read: true,
        expectedDataTransferLength: blocks * BLOCK,
      })
      const pages = cdb.vitalProductData(0xb0)
      const tags = Array.from({ length: 8 }, () =>
        initiator.sendCommand({ cdb: pages, read: true, expectedDataTransferLength: 64 }),
      )
      await server.moveAll()
      await server.moveAll()
      initiator.wire.goOnReading()
      t.equal((await initiator.collect(big)).data.length, blocks * BLOCK)
      for (const tag of tags) t.equal((await initiator.collect(tag)).data.length, 64)
      t.same((await initiator.executeRead(cdb.reportLuns(), 4096)).data, expected.data)
    })
  })
})
