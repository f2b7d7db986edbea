/** A real Redis that is stopped, killed, cut off, frozen, full or loading: what the store says, and that nothing is lost. */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { testFolder } from '@scsipub/testkit'
import t from 'tap'
import { until } from './fixtures/kinds.js'
import { ids, open, redis, unavailable } from './fixtures/redis.js'
import { VirtualAddress } from './fixtures/virtual-address.js'
import { ANSWER_MS } from './in-time.js'
import { openState, type StateStore } from './index.js'

/** Rejects only with what is refused in this turn of the event loop, in which nobody can have answered. */
const atOnce = (asked: Promise<unknown>) =>
  Promise.race([asked, new Promise(resolve => setImmediate(resolve, 'later'))])

/** Counts steps of this process's time: those in which it stood still itself are one. */
function stopwatch(stepMs: number): () => number {
  let steps = 0
  const timer = setInterval(() => void steps++, stepMs)
  return () => {
    clearInterval(timer)
    return steps * stepMs
  }
}

t.beforeEach(t => testFolder(t))

t.test('killed and started again: told once each, nothing is lost, what changed meanwhile is told', async t => {
  const server = await redis(t)
  const { store, said } = await open(t, server.url)
  const kept: string[] = []
  for (let index = 0; index < 50; index++) {
    await store.put('leases', `l${index}`, index, 0)
    kept.push(`l${index}`)
  }
  const lines: string[] = []
  store.watch('leases', ({ id, record }) => lines.push(`${id}${record ? '' : '-'}`))
  await until('the watcher knows all', () => lines.length === 50)

  await server.kill()
  await until('it is told', () => said.length === 1)
  // Whichever is seen first, by a command on its way or by the next try to connect.
  t.match(said, [/^no: (nobody listens there \(connection refused\)|the connection was lost)$/])
  t.equal(store.available, false)
  await t.rejects(atOnce(store.put('leases', 'never', 1, 0)), unavailable(/connection (refused|was lost)/))
  await t.rejects(atOnce(store.get('leases', 'l1')), unavailable(/connection (refused|was lost)/))

  await server.start()
  const { store: other } = await open(t, server.url)
  await other.remove('leases', 'l7', Number((await other.get('leases', 'l7'))?.version))
  await until('it is back', () => store.available)
  await sleep(2_500)
  t.equal(said.length, 2, said.join('\n'))
  t.match(said[1], /^yes: /)
  t.same(
    await ids(store),
    kept.filter(id => id !== 'l7').toSorted(),
    'every answered write is there, the refused one is not',
  )
  t.same(lines.slice(50), ['l7-'], 'and nothing is told again')
})

t.test('a connection that is cut, and had again at once, is no outage', async t => {
  const server = await redis(t)
  const address = await VirtualAddress.to(server.port)
  t.teardown(() => address.close())
  const { store, said } = await open(t, address.url)
  const lines: string[] = []
  store.watch('leases', ({ id }) => lines.push(id))
  const other = await open(t, server.url)
  address.cut()
  await other.store.put('leases', 'meanwhile', 1, 0)
  await until('the watcher hears of what it missed', () => lines.includes('meanwhile'))
  await store.put('leases', 'own', 1, 0)
  t.same(said, [])
})

t.test('no Redis at the start: the store says so and comes when it comes', async t => {
  const server = await redis(t)
  await server.stop()
  const { store, said } = await open(t, server.url)
  t.equal(store.available, false)
  const lines: string[] = []
  store.watch('leases', ({ id }) => lines.push(id))
  await until('it is told', () => said.length === 1)
  t.match(said, [/^no: nobody listens there/])
  await server.start()
  await until('it is there', () => store.available)
  await store.put('leases', 'a', 1, 0)
  await until('the watcher hears', () => lines.includes('a'))
})

t.test('frozen: every operation ends in two seconds, and a write of then is never done later', async t => {
  const server = await redis(t)
  const { store, said } = await open(t, server.url)
  const version = await store.put('leases', 'a', 'before', 0)
  server.freeze()
  const took = stopwatch(100)
  const late: Promise<unknown>[] = [
    store.put('leases', 'a', 'late', version),
    store.put('leases', 'b', 'late', 0),
    store.remove('leases', 'a', version),
    store.list('leases'),
  ]
  for (const answer of late)
    await t.rejects(
      answer.then(() => {}),
      unavailable(/too slow or hangs/),
    )
  const ms = took()
  t.ok(ms < 3 * ANSWER_MS, `all at the same time: ${ms} ms`)
  await until('it is told', () => said.length === 1)
  t.match(said, [/^no: it is too slow or hangs \(no answer in 2 s\)$/])
  await t.rejects(atOnce(store.put('leases', 'c', 1, 0)), unavailable(/too slow/))
  server.thaw()
  await until('it is back', () => store.available)
  t.same(await store.list('leases'), [{ id: 'a', version, value: 'before' }])
  t.same(said.length, 2)
})

t.test('this process stands still longer than an answer may take: one that has come meanwhile is taken', async t => {
  const server = await redis(t)
  const { store, said } = await open(t, server.url)
  const written = store.put('leases', 'a', 1, 0)
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1.5 * ANSWER_MS)
  const version = await written
  t.same(await store.get('leases', 'a'), { id: 'a', version, value: 1 })
  t.same(said, [])
})

t.test('CLIENT PAUSE: slow is told, and ends with it', async t => {
  const server = await redis(t)
  const { store, said } = await open(t, server.url)
  await server.command('client', 'pause', '3600000', 'write')
  await t.rejects(store.put('leases', 'a', 1, 0), unavailable(/too slow/))
  await until('it is told', () => said.length === 1)
  await server.command('client', 'unpause')
  await until('it is back', () => store.available)
  t.same(await store.list('leases'), [])
  t.same(said.length, 2)
})

t.test('out of memory: no write, but reading and removing, until there is room', async t => {
  const server = await redis(t, { settings: { 'maxmemory-policy': 'noeviction' } })
  const { store, said } = await open(t, server.url)
  const version = await store.put('leases', 'a', 1, 0)
  await server.command('config', 'set', 'maxmemory', '1')
  await t.rejects(store.put('leases', 'b', 1, 0), unavailable(/out of memory \(maxmemory\)/))
  t.match(said, [/^no: it is out of memory/])
  await t.rejects(store.put('leases', 'a', 2, version), unavailable(/out of memory/))
  t.match(await store.get('leases', 'a'), { version, value: 1 })
  await store.remove('leases', 'a', version)
  t.same(await store.list('leases'), [])
  await sleep(1_500)
  t.equal(said.length, 1, 'once')
  await server.command('config', 'set', 'maxmemory', '0')
  await until('it is back', () => store.available)
  t.ok((await store.put('leases', 'a', 1, 0)) > version)
  t.equal(said.length, 2)
})

t.test('out of memory is found without a write of ours', async t => {
  const server = await redis(t)
  const { said } = await open(t, server.url)
  await server.command('config', 'set', 'maxmemory', '1')
  await until('it is told', () => said.length === 1)
  t.match(said, [/out of memory/])
})

t.test('it takes a while to load: told as that', async t => {
  const server = await redis(t, {
    settings: { 'key-load-delay': '200000', 'loading-process-events-interval-bytes': '1024' },
  })
  const first = await open(t, server.url)
  // Of bytes that Redis cannot compress, so that it answers after each of them.
  const value = () => randomBytes(1_500).toString('base64')
  for (let index = 0; index < 300; index++) await first.store.put('leases', `l${index}`, value(), 0)
  await first.store.close()
  await server.command('bgrewriteaof')
  await until('it is rewritten', async () =>
    (await server.command('info', 'persistence')).includes('aof_rewrite_in_progress:0'),
  )
  await server.kill()
  const starting = server.start()
  let store: StateStore | undefined
  const said: string[] = []
  await until('it is told', async () => {
    await store?.close()
    store = await openState({ path: '/nonexistent', url: server.url })
    store.onAvailability((_, why) => said.push(why))
    await sleep(20)
    return said.includes('it is loading its data')
  })
  await server.command('config', 'set', 'key-load-delay', '0')
  await starting
  await until('it is there', () => store?.available === true)
  t.equal((await store?.list('leases'))?.length, 300)
  await store?.close()
})
