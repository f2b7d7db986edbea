/** Who may use a Redis and what is found in it: passwords, sockets, settings, records of others. Nothing tells a password. */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { testFolder } from '@scsipub/testkit'
import t from 'tap'
import { until } from './fixtures/kinds.js'
import { ids, open, redis, unavailable } from './fixtures/redis.js'
import { openState } from './index.js'

t.beforeEach(t => testFolder(t))

t.test('a wrong password at the start, or none, is told as that, without the password', async t => {
  const server = await redis(t, { password: 'the right one' })
  for (const [login, why] of [
    [':hidden@', /^no: the password or the user is wrong$/],
    ['stranger:hidden@', /^no: the password or the user is wrong$/],
    ['', /^no: it demands a password, and none is configured$/],
  ] as const) {
    const { store, said } = await open(t, `redis://${login}127.0.0.1:${server.port}`)
    t.equal(store.available, false)
    await until('it is told', () => said.length === 1)
    t.match(said, [why])
    const message = await store.put('leases', 'a', 1, 0).catch((error: Error) => error.message)
    t.notMatch(message, 'hidden')
  }
})

t.test(
  'a password that changes: running connections stay, a restart tells what is wrong, though the store was out already',
  async t => {
    const server = await redis(t, { password: 'first' })
    const { store, said } = await open(t, server.url)
    await server.changePassword('second')
    await store.put('leases', 'a', 1, 0)
    await server.kill()
    await until('it is told', () => said.length === 1)
    await server.start()
    await until('the reason is told', () => said.length === 2)
    // Whichever is seen first, by a command on its way or by the next try to connect.
    t.match(said, [/^no: (nobody listens|the connection was lost)/, /^no: the password or the user is wrong$/])
    await sleep(1_500)
    t.equal(said.length, 2, 'once')
    await server.changePassword('first')
    await until('it is back', () => store.available)
    t.same(await ids(store), ['a'])
  },
)

t.test('records in the format of another version are left alone', async t => {
  const server = await redis(t)
  await server.command('set', 'scsipub:format', '2')
  const { store, said } = await open(t, server.url)
  await until('it is told', () => said.length === 1)
  t.match(said, [/^no: its records are in the format of another version/])
  await t.rejects(store.put('leases', 'a', 1, 0), unavailable(/another version/))
})

t.test('a record of another type than string is damaged, and goes like any', async t => {
  const server = await redis(t)
  const { store } = await open(t, server.url)
  await store.put('leases', 'good', 1, 0)
  const version = await store.put('leases', 'bad', 1, 0)
  await server.command('del', 'scsipub:1:leases:bad')
  await server.command('rpush', 'scsipub:1:leases:bad', 'x')
  const bad = { id: 'bad', version: -1, damaged: 'it is a list, not a string' }
  t.same((await store.list('leases')).toSorted((a, b) => a.id.localeCompare(b.id))[0], bad)
  t.same(await store.get('leases', 'bad'), bad)
  await t.rejects(store.put('leases', 'bad', 1, version), { code: 'conflict' })
  await store.remove('leases', 'bad', -1)
  t.same(await ids(store), ['good'])
})

t.test('settings that put records at risk are told, once', async t => {
  const server = await redis(t, { settings: { appendonly: 'no', 'maxmemory-policy': 'allkeys-lru' } })
  const { store, advice } = await open(t, server.url)
  await until('both are told', () => advice.length === 2)
  t.match(advice.toSorted(), [/^appendonly is off/, /^maxmemory-policy is allkeys-lru/])
  await server.stop()
  await until('it is away', () => !store.available)
  await server.start()
  await until('it is back', () => store.available)
  await sleep(300)
  t.equal(advice.length, 2)
})

t.test('over a Unix socket, to a database of its own', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'scsipub-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'r.sock') // paths of sockets are short
  const server = await redis(t, { password: 'a&b', settings: { unixsocket: path } })
  const { store } = await open(t, `unix://${path}?password=a%26b&database=3`)
  t.equal(store.available, true)
  await store.put('leases', 'a', 1, 0)
  t.equal(await server.command('-n', '3', 'exists', 'scsipub:1:leases:a'), '1')
})

t.test('TLS with something that does not speak it: told as that', async t => {
  const server = await redis(t)
  const web = createServer().listen(0, '127.0.0.1')
  t.teardown(() => web.close())
  await once(web, 'listening')
  for (const [port, why] of [
    [server.port, /^no: it is too slow, hangs, or does not speak TLS/], // it waits for the end of a line
    [(web.address() as AddressInfo).port, /^no: it does not speak TLS$/],
  ] as const) {
    const { said } = await open(t, `rediss://127.0.0.1:${port}`)
    await until('it is told', () => said.length === 1)
    t.match(said, [why])
  }
})

t.test('a malformed url is an error, and shows nothing of itself', async t => {
  await t.rejects(
    openState({ path: '/nonexistent', url: 'redis://:hidden@h:0' }),
    /^(?!.*hidden).*the url of the state store has no valid host/,
  )
})
