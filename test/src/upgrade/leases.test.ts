// Leases over upgrades: sessions, registrations and reservations, LUNs that come, keys of the HTTP API, and time.

import { status } from '@scsipub/scsi'
import { cdb, type Initiator, persistentReserveOut, prOut, readKeys, readReservation } from '@scsipub/testkit'
import t from 'tap'
import { ADMIN_TOKEN, withUpgradableServer } from '../harness/upgradable-server.js'
import { content, eventually, until } from '../protocol/lab.js'
import { type Leased, logIn, Tenant } from '../protocol/lease-lab.js'
import { blockOf, StampWriter } from '../protocol/stamp-writer.js'
import { config, MIB, makeBusy, upgraded } from './lab.js'

const UPGRADES = 3
const A = 0xa1
const B = 0xb2
const WRITE_EXCLUSIVE_REGISTRANTS_ONLY = 5
const DIGESTS = { HeaderDigest: 'CRC32C', DataDigest: 'CRC32C' }
const BLOCKS = 2048
const LUN_CHANGED = '6/3f/0e'
const POWER_ON = '6/29/01'

const node = (name: string) => ({ initiatorName: `iqn.2025-01.test:${name}` })
const register = async (disk: Initiator, key: number) =>
  (await persistentReserveOut(disk, prOut.register, { serviceActionKey: key })).status
const said = async (disk: Initiator, lun = 0) => {
  const { status, sense } = await disk.execute(cdb.testUnitReady(), lun)
  return sense ?? status
}

await t.test(`leases in use over ${UPGRADES} upgrades: every write, registration, LUN and key is kept`, async t => {
  await withUpgradableServer(t, { config }, async server => {
    const tenant = await Tenant.make(server, ADMIN_TOKEN)
    const lease = await tenant.lease(server, { luns: [{ size_bytes: 8 * MIB }] })
    const state = async () => (await tenant.show(server, lease))!
    const one = await logIn(server, lease, { ...node('one'), keys: DIGESTS })
    const two = await logIn(server, lease, node('two'))
    const stranger = await logIn(server, lease, node('three'))
    t.equal(await register(one, A), status.good)
    t.equal(await register(two, B), status.good)
    const reserve = { key: A, type: WRITE_EXCLUSIVE_REGISTRANTS_ONLY }
    t.equal((await persistentReserveOut(one, prOut.reserve, reserve)).status, status.good)

    const first = new StampWriter(one, { blocks: BLOCKS })
    await first.until(50)
    await upgraded(t, server, { moved: 3 })
    await first.until(first.acknowledged + 50)
    t.match(await state(), { state: 'attached', attached_sessions: 3 }, 'the key of before is good')

    const added = await tenant.ask<Leased>(server, `POST /api/sessions/${lease.id}/luns`, { size_bytes: 4 * MIB })
    t.match({ status: added.status, luns: added.body.luns.length }, { status: 201, luns: 2 })
    t.equal(await said(two), LUN_CHANGED, 'sessions are told by the new process')
    const second = new StampWriter(two, { blocks: BLOCKS, lun: 1 })
    await second.until(50)
    for (let round = 1; round < UPGRADES; round++) {
      await upgraded(t, server, { moved: 3 })
      await Promise.all([first.until(first.acknowledged + 50), second.until(second.acknowledged + 50)])
    }
    await Promise.all([first.stop(), second.stop()])
    t.same(
      first.senses.filter(sense => sense !== LUN_CHANGED),
      [],
      'no attention but for the LUN that came',
    )
    t.same(second.senses, [POWER_ON], 'and on that one that of a new unit')
    t.equal(await said(one, 1), POWER_ON)
    t.ok((await two.read(0, BLOCKS)).equals(first.expected(first.acknowledged)), 'every write is there')
    t.ok((await one.read(0, BLOCKS, 1)).equals(second.expected(second.acknowledged)), 'on the LUN that came, too')

    t.same((await readKeys(two)).keys, [A, B].map(BigInt))
    t.match(await readReservation(two), { key: BigInt(A), type: WRITE_EXCLUSIVE_REGISTRANTS_ONLY })
    while ((await said(stranger)) === LUN_CHANGED);
    t.equal((await stranger.executeWrite(cdb.write10(0, 1), blockOf(1))).status, status.reservationConflict)
    t.match((await tenant.show(server, lease))?.luns, [{ size_bytes: 8 * MIB }, { size_bytes: 4 * MIB }])
    for (const disk of [one, two, stranger]) {
      await disk.logout()
      await disk.close()
    }
    await until('all have gone', () => server.log.filter(({ event }) => event === 'session.ended').length === 3)
    t.equal(await eventually(async () => (await state()).state, 'suspended'), 'suspended')
    t.equal((await state()).attached_sessions, 0)
    t.equal((await tenant.ask(server, `DELETE /api/sessions/${lease.id}`)).status, 204)
    t.equal(await tenant.show(server, lease), undefined)
  })
})

await t.test(
  'the time of a lease that nobody uses goes on; that of one in use begins with its last logout',
  async t => {
    await withUpgradableServer(t, { config }, async server => {
      const tenant = await Tenant.make(server, ADMIN_TOKEN)
      const lease = (ttl: number) => tenant.lease(server, { luns: [{ size_bytes: MIB }], ttl_seconds: ttl })
      const expiry = async (of: Leased) => {
        const shown = (await tenant.show(server, of)) as (Leased & { expires_at: string }) | undefined
        return shown && Date.parse(shown.expires_at)
      }
      const [short, long, used] = [await lease(6), await lease(3600), await lease(1800)]
      const longBefore = await expiry(long)
      const disk = await logIn(server, used)
      await disk.write(0, content(4096, 1))
      await upgraded(t, server, { moved: 1 })
      t.equal(await expiry(long), longBefore)
      const logoutMs = Date.now()
      await disk.logout()
      await disk.close()
      const state = async () => (await tenant.show(server, used))?.state
      t.equal(await eventually(state, 'suspended'), 'suspended')
      const left = (await expiry(used))! - logoutMs
      t.ok(left >= 1_799_000 && left < 1_900_000, `${left} ms are left of 1,800 s`)
      await until(
        'the short one is over, by the new process',
        () => server.log.some(({ event, leaseId }) => event === 'lease.gone' && leaseId === short.id),
        { deadlineMs: 60_000 },
      )
      t.equal(await expiry(short), undefined)
      const again = await logIn(server, used)
      t.same(await again.read(0, 8), content(4096, 1))
      await again.logout()
    })
  },
)

await t.test('a session of a lease that cannot go along has left it, and may come back', async t => {
  await withUpgradableServer(t, { config }, async server => {
    const tenant = await Tenant.make(server, ADMIN_TOKEN)
    const lease = await tenant.lease(server, { luns: [{ size_bytes: 64 * MIB }] })
    const busy = await logIn(server, lease)
    await busy.write(0, content(65_536, 5))
    await makeBusy(busy)
    await upgraded(t, server, { moved: 0, asked: 1 })
    await busy.wire.closed
    const state = async () => (await tenant.show(server, lease))?.state
    t.equal(await eventually(state, 'suspended'), 'suspended')
    const again = await logIn(server, lease)
    t.same(await again.read(0, 128), content(65_536, 5))
    t.match(await tenant.show(server, lease), { state: 'attached', attached_sessions: 1 })
    await again.logout()
    await again.close()
    await until('it has left', () => server.log.filter(({ event }) => event === 'session.ended').length === 2)
    t.equal(await eventually(state, 'suspended'), 'suspended')
    t.equal((await tenant.ask(server, `DELETE /api/sessions/${lease.id}`)).status, 204)
  })
})
