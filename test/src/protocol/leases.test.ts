// Leases on the wire: who may log in, what initiators share, what outlives them and the server, and that nothing is left when one has gone.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { status } from '@scsipub/scsi'
import { cdb, Initiator, LoginRefused, persistentReserveOut, prOut, readKeys, readReservation } from '@scsipub/testkit'
import t from 'tap'
import { type Server, withServer } from '../harness/server.js'
import { BLOCK, content, eventually, portal, until, untilLogged, withSession } from './lab.js'
import { LEASE_CONFIG, type Leased, logged, logIn, loginTo, MIB, Tenant } from './lease-lab.js'

const KEY = 0xa1
/** Enough for a login to a lease that was just made. */
const TTL_S = 10
const WRITE_EXCLUSIVE = 1
const config = LEASE_CONFIG
const node = { initiatorName: 'iqn.2025-01.test:node', isid: Buffer.from('00023d000001', 'hex') }

/** Status of a login; 0 when it succeeds. */
async function outcome(server: Server, options: Parameters<typeof Initiator.login>[1]): Promise<number> {
  try {
    await withSession(server, options ?? {}, async () => {})
    return 0
  } catch (error) {
    if (error instanceof LoginRefused) return error.status
    throw error
  }
}

async function shown(server: Server, options: Parameters<typeof Initiator.login>[1]): Promise<string[]> {
  const initiator = await Initiator.login(portal(server), options)
  const names = (await initiator.text({ SendTargets: 'All' })).values('TargetName')
  await initiator.close()
  return names
}

await t.test('who may log in, and who sees what', async t => {
  await withServer(t, { config }, async server => {
    const tenant = await Tenant.make(server)
    const lease = await tenant.lease(server)
    const other = await tenant.lease(server)
    const chap = { user: lease.chap_user, secret: lease.chap_secret }
    t.equal(await outcome(server, loginTo(lease)), 0)
    t.equal(await outcome(server, { ...loginTo(lease), target: lease.iqn.toUpperCase() }), 0, '[RFC 3722]')
    t.equal(await outcome(server, { target: lease.iqn }), 0x0201, 'without a proof')
    t.equal(await outcome(server, { target: lease.iqn, chap: { ...chap, secret: 'not the secret!!' } }), 0x0201)
    t.equal(await outcome(server, { target: other.iqn, chap }), 0x0201, 'with the pair of another lease')
    t.equal(await outcome(server, { target: `${lease.iqn.slice(0, -1)}a` }), 0x0203, 'a name that no lease has')
    const free = await shown(server, {})
    t.notOk(free.includes(lease.iqn), 'strangers do not see it')
    t.same(await shown(server, { chap }), [...free, lease.iqn], 'its owner sees it, and no other lease')
    const stranger = shown(server, { chap: { ...chap, secret: 'not the secret!!' } })
    t.match(await stranger.catch((error: unknown) => error), { status: 0x0201 }, 'in discovery too')
    const text = JSON.stringify(server.log)
    t.notOk(text.includes(lease.chap_secret), 'no secret is in the log')
  })
})

await t.test('two initiators share one disk, and its reservations; a third LUN is another disk', async t => {
  await withServer(t, { config }, async server => {
    const tenant = await Tenant.make(server)
    const lease = await tenant.lease(server, { luns: [{ size_bytes: MIB }, { size_bytes: 2 * MIB }] })
    await withSession(server, loginTo(lease, node), async one => {
      await withSession(server, loginTo(lease), async two => {
        t.match(await tenant.show(server, lease), { state: 'attached', attached_sessions: 2 })
        await one.write(7, content(BLOCK, 1), 1)
        t.same(await two.read(7, 1, 1), content(BLOCK, 1))
        t.same(await two.read(7, 1, 0), Buffer.alloc(BLOCK))
        const register = { serviceActionKey: KEY }
        t.equal((await persistentReserveOut(one, prOut.register, register)).status, status.good)
        const reserve = { key: KEY, type: WRITE_EXCLUSIVE }
        t.equal((await persistentReserveOut(one, prOut.reserve, reserve)).status, status.good)
        const write = await two.executeWrite(cdb.write10(0, 1), content(BLOCK, 2))
        t.equal(write.status, status.reservationConflict)
      })
    })
    const state = async () => (await tenant.show(server, lease))?.state
    t.equal(await eventually(state, 'suspended'), 'suspended')
  })
})

for (const ending of ['stopped', 'killed'] as const) {
  await t.test(`data, identity and reservations outlive logout and a server that is ${ending}`, async t => {
    const dataDir = t.testdir()
    let lease: Leased
    let tenant: Tenant
    let identity: Buffer
    const page = async (initiator: Initiator) => (await initiator.executeRead(cdb.inquiry(0x83), 255)).data
    await withServer(t, { config, dataDir }, async server => {
      tenant = await Tenant.make(server)
      lease = await tenant.lease(server)
      await withSession(server, loginTo(lease, node), async initiator => {
        identity = await page(initiator)
        await initiator.write(0, content(8 * BLOCK, 1))
        const register = { serviceActionKey: KEY, aptpl: true }
        t.equal((await persistentReserveOut(initiator, prOut.register, register)).status, status.good)
        const reserve = { key: KEY, type: WRITE_EXCLUSIVE }
        t.equal((await persistentReserveOut(initiator, prOut.reserve, reserve)).status, status.good)
      })
      await untilLogged(server, 'session.ended')
      await withSession(server, loginTo(lease, node), async initiator => {
        t.same(await initiator.read(0, 8), content(8 * BLOCK, 1), 'after a logout')
        t.same(await readReservation(initiator), { key: KEY, scope: 0, type: WRITE_EXCLUSIVE })
        await initiator.write(8, content(BLOCK, 2))
        if (ending === 'killed') await server.kill()
      })
    })
    await withServer(t, { config, dataDir }, async server => {
      t.match(await tenant.show(server, lease), { state: 'suspended', chap_secret: lease.chap_secret })
      await withSession(server, loginTo(lease), async stranger => {
        t.same(await page(stranger), identity)
        t.same(await stranger.read(0, 8), content(8 * BLOCK, 1))
        t.same(await stranger.read(8, 1), content(BLOCK, 2))
        t.same((await readKeys(stranger)).keys, [KEY])
        const write = await stranger.executeWrite(cdb.write10(0, 1), content(BLOCK, 3))
        t.equal(write.status, status.reservationConflict, 'the reservation holds')
      })
    })
  })
}

await t.test('a lease that nobody uses goes with its time, one in use does not, and its space is free', async t => {
  await withServer(t, { config }, async server => {
    const tenant = await Tenant.make(server)
    const body = { luns: [{ size_bytes: MIB }], ttl_seconds: TTL_S }
    const [used, unused] = [await tenant.lease(server, body), await tenant.lease(server, body)]
    const folder = ({ id }: Leased) => join(server.dataDir, 'volumes', `lease_${id}.lun0`)
    t.ok(existsSync(folder(unused)))
    const initiator = await logIn(server, used)
    const overMs = Date.now() + TTL_S * 1000
    await untilLogged(server, 'lease.gone')
    await until('the time of the one in use would be over', () => Date.now() > overMs)
    t.match(logged(server, 'lease.gone'), [{ leaseId: unused.id }])
    t.match(logged(server, 'lease.expiring'), [{ leaseId: unused.id }], 'after a warning')
    t.notOk(existsSync(folder(unused)))
    t.equal(await outcome(server, loginTo(unused)), 0x0203)
    t.match(await tenant.show(server, used), { state: 'attached' })
    await initiator.write(0, content(BLOCK, 1))
    await initiator.close()
    await untilLogged(server, 'lease.gone', 2)
    t.notOk(existsSync(folder(used)))
    t.equal(await tenant.show(server, used), undefined)
  })
})

await t.test('a session that is removed ends its connections', async t => {
  await withServer(t, { config }, async server => {
    const tenant = await Tenant.make(server)
    const lease = await tenant.lease(server)
    const initiator = await logIn(server, lease)
    t.equal((await tenant.ask(server, `DELETE /api/sessions/${lease.id}`)).status, 204)
    await t.rejects(initiator.read(0, 1))
    await initiator.close()
    t.equal(await outcome(server, loginTo(lease)), 0x0203)
    t.notOk(existsSync(join(server.dataDir, 'volumes', `lease_${lease.id}.lun0`)))
  })
})

await t.test('LUNs come and go while initiators are attached, and initiators of other leases see nothing', async t => {
  await withServer(t, { config }, async server => {
    const tenant = await Tenant.make(server)
    const [lease, other] = [await tenant.lease(server), await tenant.lease(server)]
    const sense = async (initiator: Initiator, lun = 0) => (await initiator.execute(cdb.testUnitReady(), lun)).sense
    await withSession(server, loginTo(lease), async initiator => {
      await withSession(server, loginTo(other), async stranger => {
        const added = await tenant.ask<Leased>(server, `POST /api/sessions/${lease.id}/luns`, { size_bytes: MIB })
        t.equal(added.status, 201)
        t.equal(await sense(initiator), '6/3f/0e')
        t.equal(await sense(initiator, 1), '6/29/01')
        await initiator.write(0, content(BLOCK, 1), 1)
        const removed = await tenant.ask<Leased>(server, `DELETE /api/sessions/${lease.id}/luns/1`)
        t.equal(removed.status, 200)
        t.equal(await sense(initiator, 1), '5/25/00')
        t.equal(await sense(initiator), '6/3f/0e')
        t.equal(await sense(stranger), undefined)
        const again = await tenant.ask<Leased>(server, `POST /api/sessions/${lease.id}/luns`, { size_bytes: MIB })
        t.equal(again.body.luns.length, 2)
        t.equal(await sense(initiator, 1), '6/29/01')
        t.same(await initiator.read(0, 1, 1), Buffer.alloc(BLOCK), 'a number that is used again is another disk')
      })
    })
  })
})
