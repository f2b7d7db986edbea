/** A state store that goes away, comes late, or is emptied, under leases that are in use. Redis, for it does all that. */
import { join } from 'node:path'
import { isDamaged, openState, type StateStore } from '@scsipub/state'
import { RedisServer } from '@scsipub/testkit'
import t, { type Test } from 'tap'
import { ACCOUNT, LeaseLab, MIB } from '../fixtures/lease-lab.js'
import type { LeaseRecord } from './lease-record.js'

const ONE = { luns: [{ sizeBytes: MIB }] }
const redis = await RedisServer.start({ folder: join(t.testdir(), 'redis') })
t.teardown(() => redis.stop())

async function recordOf(store: StateStore, id: string): Promise<LeaseRecord | undefined> {
  const entry = await store.get('leases', id).catch(() => undefined)
  return entry && !isDamaged(entry) ? (entry.value as LeaseRecord) : undefined
}

/** Leases in Redis that the test may stop. */
async function withRedis(t: Test): Promise<LeaseLab> {
  await redis.command('flushall')
  const dataDir = t.testdir()
  return LeaseLab.start(t, dataDir, await openState({ url: redis.url, path: dataDir }))
}

const refused = (status: number) => ({ refuse: { class: status >>> 8, detail: status & 0xff } })

t.test('while Redis is away logins get 0301 and sessions go on; what happened is written when it is back', async t => {
  const lab = await withRedis(t)
  const { leases, store } = lab
  const { id } = await leases.create(ACCOUNT, ONE)
  t.hasProp(await leases.attach(id, 1), 'luns')
  await redis.stop()
  t.match(await leases.attach(id, 2), refused(0x0301))
  t.match(leases.get(id), { state: 'attached', attachedSessions: 1 })
  await t.rejects(leases.create(ACCOUNT, ONE), { code: 'store-unavailable' })
  await t.rejects(leases.remove(id), { code: 'store-unavailable' })
  await leases.detach(1)
  t.match(leases.get(id), { state: 'suspended' })
  await redis.start()
  while ((await recordOf(store, id))?.state !== 'suspended') await new Promise(resolve => setTimeout(resolve, 20))
  t.hasProp(await leases.attach(id, 3), 'luns')
  t.equal(lab.count('lease.record.restored'), 0, 'nothing was lost')
})

t.test('leases that cannot be read at the start are 0301, and are there once Redis is', async t => {
  const lab = await withRedis(t)
  const { id } = await lab.leases.create(ACCOUNT, ONE)
  await lab.crash()
  await redis.stop()
  const dataDir = t.testdirName
  const next = await LeaseLab.start(t, dataDir, await openState({ url: redis.url, path: dataDir }))
  t.match(next.leases.targets.find(id), refused(0x0301))
  t.equal(next.leases.available, false)
  t.same(next.files.volumes, [`lease_${id}.lun0`])
  await redis.start()
  while (!next.leases.get(id)) await new Promise(resolve => setTimeout(resolve, 20))
  t.hasProp(await next.leases.attach(id, 1), 'luns')
})

t.test('nothing comes to its end while Redis is away, nor right after that', async t => {
  const lab = await withRedis(t)
  const { id } = await lab.leases.create(ACCOUNT, { ...ONE, ttlSeconds: 2 })
  await redis.stop()
  await new Promise(resolve => setTimeout(resolve, 2500))
  t.match(lab.leases.get(id), { state: 'suspended' })
  const returned = Date.now()
  await redis.start()
  await lab.logged('lease.gone')
  t.ok(Date.now() - returned >= 200, 'a tenth of its time is left')
})

t.test('a Redis that was emptied under a running server gets the record again with the next login', async t => {
  const lab = await withRedis(t)
  const { id } = await lab.leases.create(ACCOUNT, ONE)
  await redis.command('flushall')
  t.hasProp(await lab.leases.attach(id, 1), 'luns')
  t.match(await lab.logged('lease.record.restored'), { leaseId: id, why: /lost/ })
  t.equal((await recordOf(lab.store, id))?.state, 'attached')
})
