// Leases that are changed over HTTP while initiators are attached and write: LUNs that grow, come and go, snapshots and clones, and what is refused.
// What initiators see of a change without HTTP is in lun-growth.test.ts and lun-changes.test.ts. [SBC-3 §4.4.1, §5.16; SAM-5 §5.14; SPC-4 §4.5.6]

import { cdb, type Initiator } from '@scsipub/testkit'
import t from 'tap'
import { withServer } from '../harness/server.js'
import { BLOCK, content, eventually, withSession } from './lab.js'
import { LEASE_CONFIG, type Leased, loginTo, MIB, Tenant } from './lease-lab.js'
import { blockOf, StampWriter } from './stamp-writer.js'

const GROWN = '6/2a/09'
const CHANGED = '6/3f/0e'
const POWER_ON = '6/29/01'
const GONE = '5/25/00'

interface Image {
  readonly id: string
  readonly size_bytes: number
}

const senseOf = async (initiator: Initiator, lun = 0) => (await initiator.execute(cdb.testUnitReady(), lun)).sense

async function blocksOf(initiator: Initiator, lun = 0): Promise<number> {
  const { data } = await initiator.executeRead(cdb.readCapacity16(), 32, lun)
  return Number(data.readBigUInt64BE(0)) + 1
}

const serialOf = async (initiator: Initiator, lun: number) =>
  (await initiator.executeRead(cdb.vitalProductData(0x80), 255, lun)).data.toString('latin1', 4)

await withServer(t, { config: LEASE_CONFIG }, async server => {
  const tenant = await Tenant.make(server)
  const change = <T = Leased>(what: string, body?: object) => tenant.ask<T>(server, what, body)

  await t.test(
    'a LUN that grows under initiators that write: all are told once, nothing is lost, the new end works',
    async t => {
      const lease = await tenant.lease(server)
      await withSession(server, loginTo(lease), async one => {
        await withSession(server, loginTo(lease), async two => {
          const last = content(BLOCK, 9)
          await two.write(2047, last)
          const writer = new StampWriter(one, { blocks: 1024 })
          await writer.until(50)
          const grown = await change(`PATCH /api/sessions/${lease.id}/luns/0`, { size_bytes: 4 * MIB })
          t.equal(grown.status, 200)
          t.match(grown.body.luns, [{ lun: 0, size_bytes: 4 * MIB }])
          await writer.until(writer.acknowledged + 50)
          await writer.stop()
          t.same(writer.senses, [GROWN], 'the one that writes is told, by one of its writes')
          t.equal(await senseOf(two), GROWN)
          for (const initiator of [one, two]) {
            t.equal(await senseOf(initiator), undefined, 'once')
            t.equal(await blocksOf(initiator), 8192)
          }
          t.same(await two.read(0, 1024), writer.expected(writer.acknowledged))
          t.same(await two.read(2047, 2), Buffer.concat([last, Buffer.alloc(BLOCK)]), 'at the old end')
          await two.write(2048, content(6144 * BLOCK, 3))
          t.same(await one.read(2048, 6144), content(6144 * BLOCK, 3))
          t.equal((await one.executeRead(cdb.read10(8192, 1), BLOCK)).sense, '5/21/00', 'and no further')
        })
      })
      await withSession(server, loginTo(lease), async later => {
        t.equal(await blocksOf(later), 8192)
      })
    },
  )

  await t.test('a snapshot under load is one moment: all that was acknowledged, and nothing out of order', async t => {
    const lease = await tenant.lease(server, { luns: [{ size_bytes: MIB }, { size_bytes: MIB }] })
    const snapshots: { image: Image; from: number; to: number }[] = []
    await withSession(server, loginTo(lease), async initiator => {
      const writer = new StampWriter(initiator, { blocks: 32, lun: 1 })
      for (const name of ['first', 'second', 'third']) {
        await writer.until(writer.acknowledged + 40)
        const from = writer.acknowledged
        const taken = await change<Image>(`POST /api/sessions/${lease.id}/snapshot`, { name, lun: 1 })
        t.equal(taken.status, 201, JSON.stringify(taken.body))
        snapshots.push({ image: taken.body, from, to: writer.begun })
      }
      await writer.until(writer.acknowledged + 40)
      await writer.stop()
      t.same(writer.senses, [], 'the initiator notices nothing')
      t.same(await initiator.read(0, 32, 1), writer.expected(writer.acknowledged), 'and goes on with all of its data')

      for (const { image, from, to } of snapshots) {
        const clone = await tenant.lease(server, { image: image.id })
        t.match(clone.luns, [{ lun: 0, image: image.id, size_bytes: MIB }])
        await withSession(server, loginTo(clone), async reader => {
          const data = await reader.read(0, 32)
          const moment = Math.max(...Array.from({ length: 32 }, (_, lba) => data.readUInt32BE(lba * BLOCK)))
          t.ok(from <= moment && moment <= to, `${from} <= ${moment} <= ${to}`)
          t.ok(data.equals(writer.expected(moment)), 'the disk as it was after that write')
          await reader.write(0, content(BLOCK, 7))
        })
        await withSession(server, loginTo(clone), async reader => {
          t.same(await reader.read(0, 1), content(BLOCK, 7), 'a clone is a disk like any other')
        })
      }
      t.same(await initiator.read(0, 32, 1), writer.expected(writer.acknowledged), 'of which the original sees nothing')
    })
  })

  await t.test('a snapshot stays what it was, whatever becomes of the lease that it was taken of', async t => {
    const lease = await tenant.lease(server)
    let image: Image | undefined
    await withSession(server, loginTo(lease), async initiator => {
      await initiator.write(0, content(2048 * BLOCK, 1))
      image = (await change<Image>(`POST /api/sessions/${lease.id}/snapshot`, { name: 'gold' })).body
      await initiator.write(0, content(2048 * BLOCK, 2))
    })
    t.equal((await change(`DELETE /api/sessions/${lease.id}`)).status, 204)
    const clone = await tenant.lease(server, { luns: [{ image: image!.id, size_bytes: 2 * MIB }] })
    await withSession(server, loginTo(clone), async reader => {
      t.same(await reader.read(0, 2048), content(2048 * BLOCK, 1))
      t.same(await reader.read(2048, 2048), Buffer.alloc(2048 * BLOCK), 'a clone may be larger: zeros follow')
    })
    t.equal((await change(`DELETE /api/images/${image!.id}`)).status, 409, 'a disk stands on it')
    t.equal((await change(`DELETE /api/sessions/${clone.id}`)).status, 204)
    t.equal((await change(`DELETE /api/images/${image!.id}`)).status, 204)
  })

  await t.test('a change that is refused changes nothing, and disturbs nobody', async t => {
    const lease = await tenant.lease(server)
    await withSession(server, loginTo(lease), async initiator => {
      const writer = new StampWriter(initiator, { blocks: 2048 })
      await writer.until(20)
      const before = await tenant.show(server, lease)
      const session = `/api/sessions/${lease.id}`
      const refused: [what: string, body: object | undefined, status: number, code: string][] = [
        [`PATCH ${session}/luns/0`, { size_bytes: MIB - 512 }, 422, 'size-invalid'],
        [`PATCH ${session}/luns/0`, { size_bytes: 0 }, 400, 'invalid-request'],
        [`PATCH ${session}/luns/0`, { size_bytes: MIB + 1 }, 400, 'invalid-request'],
        [`PATCH ${session}/luns/0`, { size_bytes: 2 ** 60 }, 400, 'invalid-request'],
        [`PATCH ${session}/luns/0`, { size_bytes: 101 * 2 ** 30 }, 403, 'quota-exceeded'],
        [`PATCH ${session}/luns/1`, { size_bytes: 2 * MIB }, 404, 'lun-unknown'],
        [`DELETE ${session}/luns/0`, undefined, 422, 'luns-missing'],
        [`DELETE ${session}/luns/1`, undefined, 404, 'lun-unknown'],
        [`POST ${session}/luns`, { size_bytes: 101 * 2 ** 30 }, 403, 'quota-exceeded'],
        [`POST ${session}/luns`, { image: 'none' }, 422, 'image-unknown'],
        [`POST ${session}/snapshot`, { name: 'a', lun: 1 }, 404, 'lun-unknown'],
        [`POST ${session}/snapshot`, { lun: 0 }, 400, 'invalid-request'],
      ]
      for (const [what, body, status, code] of refused) {
        const answer = await change<{ code?: string }>(what, body)
        t.match(answer, { status, body: { code } }, `${what} ${JSON.stringify(body)}`)
      }
      await writer.until(writer.acknowledged + 20)
      await writer.stop()
      t.same(writer.senses, [])
      t.equal(await senseOf(initiator), undefined)
      t.equal(await blocksOf(initiator), 2048)
      t.same(await initiator.read(0, 2048), writer.expected(writer.acknowledged))
      const after = await tenant.show(server, lease)
      t.same({ ...after, expires_at: undefined }, { ...before, expires_at: undefined })
    })
  })

  await t.test('LUNs go and come under initiators that write: those of other LUNs go on', async t => {
    const lease = await tenant.lease(server, { luns: [{ size_bytes: MIB }, { size_bytes: MIB }] })
    await withSession(server, loginTo(lease), async initiator => {
      const kept = new StampWriter(initiator, { blocks: 512 })
      const removed = new StampWriter(initiator, { blocks: 512, lun: 1 })
      await Promise.all([kept.until(20), removed.until(20)])
      const serial = await serialOf(initiator, 1)
      t.match((await change(`DELETE /api/sessions/${lease.id}/luns/1`)).body.luns, [{ lun: 0 }])
      t.equal(await removed.failure(), GONE)
      await kept.until(kept.acknowledged + 20)
      const added = await change(`POST /api/sessions/${lease.id}/luns`, { size_bytes: 2 * MIB })
      t.match(added.body.luns, [{ lun: 0 }, { lun: 1, size_bytes: 2 * MIB }])
      await kept.until(kept.acknowledged + 20)
      await kept.stop()
      t.same(kept.senses, [CHANGED, CHANGED], 'they are told of both, once each')
      t.equal(await senseOf(initiator, 1), POWER_ON)
      t.equal(await blocksOf(initiator, 1), 4096)
      t.not(await serialOf(initiator, 1), serial, 'another unit')
      t.same(await initiator.read(0, 512, 1), Buffer.alloc(512 * BLOCK), 'with nothing of the old one')
      await initiator.write(4095, blockOf(1), 1)
      t.same(await initiator.read(0, 512), kept.expected(kept.acknowledged))
    })
    const state = async () => (await tenant.show(server, lease))?.state
    t.equal(await eventually(state, 'suspended'), 'suspended')
  })
})
