/** A state store that goes away, comes late, or is emptied, under leases that are in use. Redis, for it does all that. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openState } from '@scsipub/state'
import { RedisServer, testFolder } from '@scsipub/testkit'
import t, { type Test } from 'tap'
import { ACCOUNT, LeaseLab, MIB } from '../fixtures/lease-lab.js'
import { until } from '../fixtures/until.js'

const ONE = { luns: [{ sizeBytes: MIB }] }
const redis = await RedisServer.start({ folder: join(testFolder(t), 'redis') })
t.teardown(() => redis.stop())

/** Leases in Redis that the test may stop. */
async function withRedis(t: Test): Promise<LeaseLab> {
  await redis.command('flushall')
  const dataDir = testFolder(t)
  return LeaseLab.start(t, dataDir, await openState({ url: redis.url, path: dataDir }))
}

const refused = (status: number) => ({ refuse: { class: status >>> 8, detail: status & 0xff } })

t.test('while Redis is away logins get 0301 and sessions go on; what happened is written when it is back', async t => {
  const lab = await withRedis(t)
  const { leases } = lab
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
  await until('it is written', async () => (await lab.recorded(id))?.state === 'suspended')
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
  await until('the lease is there', () => next.leases.get(id) !== undefined)
  t.hasProp(await next.leases.attach(id, 1), 'luns')
})

/** Has all rung that is due by the clock of the leases, warnings as well as ends: one timer is for them all. */
async function ring(lab: LeaseLab, aheadMs: number): Promise<void> {
  const { id } = await lab.leases.create(ACCOUNT, { ...ONE, ttlSeconds: 1 })
  lab.aheadMs = aheadMs
  await until('it has rung', () => wasWarned(lab, id))
}

function wasWarned({ log }: LeaseLab, id: string): boolean {
  return log.some(({ event, leaseId }) => event === 'lease.expiring' && leaseId === id)
}

t.test('nothing comes to its end while Redis is away, and nobody is warned of it', async t => {
  const lab = await withRedis(t)
  const { id } = await lab.leases.create(ACCOUNT, { ...ONE, ttlSeconds: 60 })
  const last = await lab.leases.create(ACCOUNT, { ...ONE, ttlSeconds: 1 })
  t.hasProp(await lab.leases.attach(last.id, 1), 'luns')
  await redis.stop()
  await until('the store is away', () => !lab.store.available)
  lab.aheadMs = 61_000
  await lab.leases.detach(1)
  const ends = Date.parse(lab.leases.get(last.id)?.expiresAt ?? '') - lab.aheadMs
  await sleep(ends + 500 - Date.now())
  for (const lease of [id, last.id]) t.match(lab.leases.get(lease), { state: 'suspended' })
  t.same([lab.count('lease.expiring'), lab.count('lease.eviction.unfinished')], [0, 0], 'it was not even tried')
  await redis.start()
  await until('both are warned of', () => wasWarned(lab, id) && wasWarned(lab, last.id))
  await until('one has gone', () => lab.leases.get(last.id) === undefined)
})

t.test('after an outage a tenth of its time is left to a lease, though its owner had been warned before', async t => {
  const lab = await withRedis(t)
  const { id } = await lab.leases.create(ACCOUNT, { ...ONE, ttlSeconds: 600 })
  await ring(lab, 545_000)
  t.ok(wasWarned(lab, id))
  await redis.stop()
  await until('the store is away', () => !lab.store.available)
  lab.aheadMs = 3_600_000
  const left = new Promise<number>(resolve => {
    lab.store.onAvailability(there => {
      if (there) resolve(Date.parse(lab.leases.get(id)?.expiresAt ?? '') - Date.now() - lab.aheadMs)
    })
  })
  await redis.start()
  t.ok((await left) <= 60_000 && (await left) > 50_000, `${await left} ms are left`)
  await ring(lab, lab.aheadMs)
  t.hasProp(await lab.leases.attach(id, 1), 'luns', 'who could not log in still can')
})

t.test('a Redis that was emptied under a running server gets the record again with the next login', async t => {
  const lab = await withRedis(t)
  const { id } = await lab.leases.create(ACCOUNT, ONE)
  await redis.command('flushall')
  t.hasProp(await lab.leases.attach(id, 1), 'luns')
  t.match(await lab.logged('lease.record.restored'), { leaseId: id, why: /lost/ })
  t.equal((await lab.recorded(id))?.state, 'attached')
})
