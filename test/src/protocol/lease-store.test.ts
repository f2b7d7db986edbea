// Leases while their state store is away, and with a record that is damaged: new logins are told to try again, running sessions go on.

import { join } from 'node:path'
import { type Initiator, LoginRefused, RedisServer, testFolder } from '@scsipub/testkit'
import t from 'tap'
import { type Server, withServer } from '../harness/server.js'
import { BLOCK, content, eventually, untilLogged, withSession } from './lab.js'
import { LEASE_CONFIG, type Leased, logIn, loginTo, Tenant } from './lease-lab.js'
import { metricsOf } from './operator.js'

const redis = await RedisServer.start({ folder: join(testFolder(t), 'redis') })
t.teardown(() => redis.stop())
const config = { ...LEASE_CONFIG, state: { url: redis.url } }

async function statusOf(login: Promise<Initiator>): Promise<number> {
  try {
    await (await login).close()
    return 0
  } catch (error) {
    if (error instanceof LoginRefused) return error.status
    throw error
  }
}

/** A login as initiators do it, who try again on 0301. */
async function patientLogin(server: Server, lease: Leased): Promise<Initiator> {
  for (;;) {
    try {
      return await logIn(server, lease)
    } catch (error) {
      if (!(error instanceof LoginRefused) || error.status !== 0x0301) throw error
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }
}

await t.test(
  'Redis stopped: 0301 for new logins, running sessions go on, one line in the log, nothing lost',
  async t => {
    await redis.command('flushall')
    await withServer(t, { config }, async server => {
      const tenant = await Tenant.make(server)
      const [lease, other] = [await tenant.lease(server), await tenant.lease(server)]
      const running = await logIn(server, lease)
      await running.write(0, content(BLOCK, 1))
      await redis.stop()
      t.equal(await statusOf(logIn(server, lease)), 0x0301)
      t.equal(await statusOf(logIn(server, other)), 0x0301)
      await running.write(1, content(BLOCK, 2))
      t.same(await running.read(0, 2), Buffer.concat([content(BLOCK, 1), content(BLOCK, 2)]))
      const same = loginTo(lease, { initiatorName: 'iqn.2025-01.test:same', isid: Buffer.from('00023d000009', 'hex') })
      t.equal(await statusOf(logIn(server, lease, same)), 0x0301)
      t.equal((await tenant.ask(server, 'POST /api/sessions', { image: 'blank' })).status, 503)
      const gone = await metricsOf(server)
      t.equal(gone.get('scsipub_state_store_up'), 0)
      const outages = gone.get('scsipub_state_store_outages_total') ?? 0
      t.ok(outages > 0)
      t.equal((await untilLogged(server, 'state.unavailable', outages)).length, outages, 'each is said once')
      await withSession(server, {}, async free => {
        t.same(await free.read(0, 1), Buffer.alloc(BLOCK), 'the free tier does not mind')
      })
      await running.close()
      await redis.start()
      const again = await patientLogin(server, lease)
      t.same(await again.read(1, 1), content(BLOCK, 2))
      await again.close()
      await (await patientLogin(server, other)).close()
      await untilLogged(server, 'state.available', outages)
      const told = server.log.filter(({ event = '' }) => /^state\.(un)?available$/.test(event))
      t.match(told.slice(0, 2), [{ event: 'state.unavailable' }, { event: 'state.available' }], 'its end, too')
      t.equal(await eventually(async () => (await metricsOf(server)).get('scsipub_state_store_up'), 1), 1)
    })
  },
)

await t.test(
  'a record that is damaged: that lease alone is refused, its name in the log, the others serve',
  async t => {
    await redis.command('flushall')
    const dataDir = testFolder(t)
    let leases: Leased[] = []
    await withServer(t, { config, dataDir }, async server => {
      const tenant = await Tenant.make(server)
      leases = [await tenant.lease(server), await tenant.lease(server)]
      const initiator = await logIn(server, leases[1]!)
      await initiator.write(0, content(BLOCK, 1))
      await initiator.close()
      await untilLogged(server, 'session.ended')
    })
    const [damaged, whole] = leases as [Leased, Leased]
    await redis.command('set', `scsipub:1:leases:${damaged.id}`, '{')
    await withServer(t, { config, dataDir }, async server => {
      t.equal(await statusOf(logIn(server, damaged)), 0x0300)
      t.match(await untilLogged(server, 'lease.refused'), [{ leaseId: damaged.id, why: /damaged/ }])
      const initiator = await logIn(server, whole)
      t.same(await initiator.read(0, 1), content(BLOCK, 1))
      await initiator.close()
    })
  },
)
