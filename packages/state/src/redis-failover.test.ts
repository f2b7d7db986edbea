/** Replicas: read-only ones, promoted ones, behind an address that moves or behind sentinels; no answered write is lost. */
import { testFolder } from '@scsipub/testkit'
import t from 'tap'
import { until } from './fixtures/kinds.js'
import { ids, open, redis, unavailable } from './fixtures/redis.js'
import { VirtualAddress } from './fixtures/virtual-address.js'

t.beforeEach(t => testFolder(t))

t.test('a read-only replica is told as that; promoted, it serves', async t => {
  const primary = await redis(t)
  const replica = await redis(t, { settings: { replicaof: `127.0.0.1 ${primary.port}` } })
  await until('it follows, and loads nothing any more', async () =>
    (await replica.command('info', 'replication')).includes('master_link_status:up'),
  )
  const { store, said } = await open(t, replica.url)
  t.equal(store.available, false)
  await until('it is told', () => said.length === 1)
  t.match(said, [/^no: it is a read-only replica$/])
  await replica.command('replicaof', 'no', 'one')
  await until('it is there', () => store.available)
  await store.put('leases', 'a', 1, 0)
})

t.test(
  'failed over behind an address: what the replica had is there, and what it did not have was not answered',
  async t => {
    const primary = await redis(t)
    const replica = await redis(t, { settings: { replicaof: `127.0.0.1 ${primary.port}` } })
    await until('the replica follows', async () =>
      (await primary.command('info', 'replication')).includes('state=online'),
    )
    const address = await VirtualAddress.to(primary.port)
    t.teardown(() => address.close())
    const { store, said } = await open(t, address.url, 1)
    const kept: string[] = []
    let version = 0
    for (let index = 0; index < 30; index++) {
      version = await store.put('leases', `l${index}`, index, 0)
      kept.push(`l${index}`)
    }
    await primary.kill()
    await until('it is told', () => said.length === 1)
    await replica.command('replicaof', 'no', 'one')
    address.move(replica.port)
    const { store: after } = await open(t, replica.url)
    t.same(await ids(after), kept.toSorted(), 'no answered write is lost')
    await until('it answers again', async () => {
      const why = await store.put('leases', 'more', 1, 0).catch((error: Error) => error.message)
      return /lost its replicas/.test(String(why))
    })
    const next = await redis(t, { settings: { replicaof: `127.0.0.1 ${replica.port}` } })
    await until('it serves', () => store.available)
    t.ok((await store.put('leases', 'with-replica', 1, 0)) > version, 'versions go on growing')
    t.equal(await next.command('exists', 'scsipub:1:leases:with-replica'), '1')
  },
)

t.test('a primary that was made a replica under way is left for where the address leads now', async t => {
  const old = await redis(t)
  const next = await redis(t)
  const address = await VirtualAddress.to(old.port)
  t.teardown(() => address.close())
  const { store, said } = await open(t, address.url)
  await store.put('leases', 'a', 1, 0)
  await old.command('replicaof', '127.0.0.1', '1') // nobody is there, so it has nothing to load
  await t.rejects(store.put('leases', 'b', 1, 0), unavailable(/read-only replica/))
  address.move(next.port, { cut: false })
  await until('it is back', () => store.available)
  await store.put('leases', 'c', 1, 0)
  t.equal(await next.command('exists', 'scsipub:1:leases:c'), '1')
  t.match(said, [/^no: it is a read-only replica/, /^yes/])
})

t.test('sentinels name the primary, also the next one', async t => {
  const primary = await redis(t)
  const replica = await redis(t, { settings: { replicaof: `127.0.0.1 ${primary.port}` } })
  await until('the replica follows', async () =>
    (await primary.command('info', 'replication')).includes('state=online'),
  )
  const sentinel = await redis(t, {
    sentinel: [
      `sentinel monitor main 127.0.0.1 ${primary.port} 1`,
      'sentinel down-after-milliseconds main 3600000', // nobody is taken for dead before the test says so
      'sentinel failover-timeout main 5000',
    ],
  })
  await until('the sentinel knows the replica', async () =>
    (await sentinel.command('sentinel', 'replicas', 'main')).includes(String(replica.port)),
  )
  const { store, said } = await open(t, `redis+sentinel://127.0.0.1:${sentinel.port}/main`)
  const version = await store.put('leases', 'a', 1, 0)
  await until('the replica has it', async () => (await replica.command('exists', 'scsipub:1:leases:a')) === '1')
  await primary.kill()
  await sentinel.command('sentinel', 'set', 'main', 'down-after-milliseconds', '500')
  await until('it is told', () => said.length === 1)
  await until('the replica is the primary', () => store.available)
  t.same(await store.get('leases', 'a'), { id: 'a', version, value: 1 })
  t.ok((await store.put('leases', 'a', 2, version)) > version)
  t.equal(said.length, 2, said.join('\n'))
})

t.test('without the replicas that it needs, a write is not answered as done', async t => {
  const server = await redis(t)
  const { store, said } = await open(t, server.url, 1)
  await until('it is told', () => said.length === 1)
  t.match(said, [/^no: it has lost its replicas$/])
  await t.rejects(store.put('leases', 'a', 1, 0), unavailable(/lost its replicas/))
})
