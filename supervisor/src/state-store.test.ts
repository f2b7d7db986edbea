/** The state store in the server: what the log says, once each, and that a start needs no Redis. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { RedisServer, testFolder } from '@scsipub/testkit'
import t from 'tap'
import { until } from './fixtures/until.js'
import { createLog } from './log.js'
import { openStateStore } from './state-store.js'

function recorded() {
  const lines: Record<string, unknown>[] = []
  const log = createLog('info', {
    write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>),
  })
  return { log, lines, events: () => lines.map(({ event }) => event) }
}

t.test('without a url it is embedded, and the log has nothing to say', async t => {
  const { log, lines } = recorded()
  const dataDir = testFolder(t)
  const { store, fault } = await openStateStore({ state: { replicas: 0 }, dataDir }, log)
  t.teardown(() => store.close())
  t.equal(fault(), undefined)
  await store.put('leases', 'a', 1, 0)
  t.same(lines, [])
})

t.test('Redis that is not there at the start, comes, and goes: one line each', async t => {
  const redis = await RedisServer.start({ folder: join(testFolder(t), 'redis'), settings: { appendonly: 'no' } })
  t.teardown(() => redis.stop())
  await redis.stop()
  const { log, lines, events } = recorded()
  const state = { url: redis.url, replicas: 0 }
  const { store, fault } = await openStateStore({ state, dataDir: '/nonexistent' }, log)
  t.teardown(() => store.close())
  await until('it is told', () => events().length === 1)
  t.match(lines[0], { event: 'state.unavailable', level: 'warn', why: /nobody listens there \(connection refused\)/ })
  t.match(fault(), /^the state store cannot be used: nobody listens/)
  await redis.start()
  await until('it is back', () => store.available)
  await until('advice is told', () => events().includes('state.advice'))
  t.equal(fault(), undefined)
  await redis.stop()
  await until('it is away', () => !store.available)
  await sleep(1_000)
  t.same(events().toSorted(), ['state.advice', 'state.available', 'state.unavailable', 'state.unavailable'])
  t.notMatch(JSON.stringify(lines), redis.url)
})
