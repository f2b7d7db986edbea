/** Leases whose sessions another process of the server had let in, also when the state store is not there by then. */
import { join } from 'node:path'
import { openState } from '@scsipub/state'
import { RedisServer, testFolder } from '@scsipub/testkit'
import t from 'tap'
import { ACCOUNT, LeaseLab, MIB } from '../fixtures/lease-lab.js'
import { until } from '../fixtures/until.js'

const ONE = { luns: [{ sizeBytes: MIB }] }
const redis = await RedisServer.start({ folder: join(testFolder(t), 'redis') })
t.teardown(() => redis.stop())
const open = (dataDir: string) => openState({ url: redis.url, path: dataDir })

t.test('sessions go on, and the last that ends begins the time', async t => {
  const dataDir = testFolder(t)
  const before = await LeaseLab.start(t, dataDir, await open(dataDir))
  const { id } = await before.leases.create(ACCOUNT, ONE)
  t.hasProp(await before.leases.attach(id, 1), 'luns')
  t.hasProp(await before.leases.attach(id, 2), 'luns')
  t.same(before.leases.attached(), [
    [1, id],
    [2, id],
  ])
  await before.crash()
  const { leases, ...lab } = await LeaseLab.start(t, dataDir, await open(dataDir), before.leases.attached())
  t.match(leases.get(id), { state: 'attached', attachedSessions: 2 })
  await leases.detach(1)
  t.match(leases.get(id), { state: 'attached', attachedSessions: 1 })
  const beforeMs = Date.now()
  await leases.detach(2)
  t.match(leases.get(id), { state: 'suspended', attachedSessions: 0 })
  t.ok(Date.parse(leases.get(id)!.expiresAt) >= beforeMs + 3_600_000 - 1_000)
  await until('it is written', async () => (await lab.store.get('leases', id)) !== undefined)
})

t.test('a session that ends before the state store is there has ended when it is', async t => {
  const dataDir = testFolder(t)
  const before = await LeaseLab.start(t, dataDir, await open(dataDir))
  const one = await before.leases.create(ACCOUNT, ONE)
  const two = await before.leases.create(ACCOUNT, ONE)
  for (const [id, session] of [
    [one.id, 1],
    [two.id, 2],
    [two.id, 3],
  ] as const)
    t.hasProp(await before.leases.attach(id, session), 'luns')
  await before.crash()
  await redis.stop()
  const lab = await LeaseLab.start(t, dataDir, await open(dataDir), before.leases.attached())
  const { leases } = lab
  t.equal(leases.available, false)
  await leases.detach(1)
  await leases.detach(3)
  t.same(leases.attached().length, 3, 'until the leases are known')
  await redis.start()
  await until('its time has begun', () => leases.get(one.id)?.state === 'suspended')
  await until('one has gone', () => leases.get(two.id)?.attachedSessions === 1)
  t.match(leases.get(two.id), { state: 'attached' })
  t.same(leases.attached(), [[2, two.id]])
  await until('it is written', async () => (await lab.recorded(one.id))?.state === 'suspended')
  t.hasProp(await leases.attach(one.id, 4), 'luns')
})
