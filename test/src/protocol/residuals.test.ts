// What the initiator expects to transfer, and what the command does: residual counts, and data as far as both go [7143 §11.4.5].

import { cdb } from '@scsipub/testkit'
import t from 'tap'
import { withServer } from '../harness/server.js'
import { BLOCK, content, withSession } from './lab.js'

const OLD = content(4 * BLOCK, 1)
const NEW = content(4 * BLOCK, 2)

await withServer(t, {}, async server => {
  for (const [expected, moved, overflow, underflow] of [
    [1024, 1024, 0, 0],
    [512, 512, 512, 0],
    [1, 1, 1023, 0],
    [700, 700, 324, 0],
    [1536, 1024, 0, 512],
    [65536, 1024, 0, 64512],
  ] as const) {
    await t.test(`a READ of 1024 bytes with room for ${expected} [7143 §11.4.5]`, async t => {
      await withSession(server, {}, async initiator => {
        await initiator.write(0, OLD)
        const result = await initiator.executeRead(cdb.read10(0, 2), expected)
        t.match(result, { status: 0, overflow, underflow })
        t.same(result.data, OLD.subarray(0, moved))
      })
    })
  }

  for (const [expected, written, overflow, underflow] of [
    [1024, 2, 0, 0],
    [512, 1, 512, 0],
    [1536, 2, 0, 512],
    [2048, 2, 0, 1024],
  ] as const) {
    for (const keys of [{}, { InitialR2T: 'Yes', ImmediateData: 'No' }]) {
      const how = 'InitialR2T' in keys ? 'on R2T' : 'unasked'
      await t.test(`a WRITE of 1024 bytes that brings ${expected}, ${how} [7143 §11.4.5]`, async t => {
        await withSession(server, { keys }, async initiator => {
          await initiator.write(0, OLD)
          const result = await initiator.executeWrite(cdb.write10(0, 2), NEW.subarray(0, expected))
          t.match(result, { status: 0, overflow, underflow })
          const now = Buffer.concat([NEW.subarray(0, written * BLOCK), OLD.subarray(written * BLOCK)])
          t.same(await initiator.read(0, 4), now)
        })
      })
    }
  }

  await t.test('a READ without a direction moves nothing: all of it is overflow [7143 §11.4.5]', async t => {
    await withSession(server, {}, async initiator => {
      const result = await initiator.execute(cdb.read10(0, 2))
      t.match(result, { status: 0, overflow: 1024, underflow: 0 })
      t.equal(result.data.length, 0)
    })
  })

  await t.test('a WRITE without a direction writes nothing: all of it is overflow [7143 §11.4.5]', async t => {
    await withSession(server, {}, async initiator => {
      await initiator.write(0, OLD)
      t.match(await initiator.execute(cdb.write10(0, 2)), { status: 0, overflow: 1024, underflow: 0 })
      t.same(await initiator.read(0, 4), OLD)
    })
  })

  await t.test('a command that moves nothing leaves all of what was expected [7143 §11.4.5]', async t => {
    await withSession(server, {}, async initiator => {
      t.match(await initiator.executeRead(cdb.testUnitReady(), 512), { status: 0, overflow: 0, underflow: 512 })
    })
  })

  await t.test('an allocation length is no error, the residual tells [SPC-4 §4.2.5.6, 7143 §11.4.5]', async t => {
    await withSession(server, {}, async initiator => {
      t.match(await initiator.executeRead(cdb.inquiry(5), 255), { status: 0, overflow: 0, underflow: 250 })
      const short = await initiator.executeRead(cdb.inquiry(36), 5)
      t.match(short, { status: 0, overflow: 31, underflow: 0 })
      t.equal(short.data.length, 5)
    })
  })

  await t.test('a command that fails has moved nothing [7143 §11.4.5]', async t => {
    await withSession(server, {}, async initiator => {
      const result = await initiator.executeRead(cdb.read10(0xfffffff0, 2), 1024)
      t.match(result, { status: 2, sense: '5/21/00', overflow: 0, underflow: 1024 })
    })
  })
})
