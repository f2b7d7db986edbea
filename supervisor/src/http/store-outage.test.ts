/** The calls while Redis is away: told to try again, nothing fails, and all is there when it is back. */
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { RedisServer, testFolder } from '@scsipub/testkit'
import t from 'tap'
import { ADMIN_TOKEN, call, refusedWith } from '../fixtures/http-calls.js'
import { start } from '../fixtures/steps.js'

t.test('without its store the server says so, by 503 and when to try again', async t => {
  const redis = await RedisServer.start({ folder: join(testFolder(t), 'redis') })
  t.teardown(() => redis.stop())
  const server = start(t, { env: { SCSIPUB_ADMIN_TOKEN: ADMIN_TOKEN, SCSIPUB_STATE_URL: redis.url } })
  const at = await server.api()
  const { body } = await call(at, 'POST /api/admin/accounts', { token: ADMIN_TOKEN, body: { name: 'a' } })
  const token = body.api_key
  const made = await call(at, 'POST /api/sessions', { token, body: { size_bytes: 4096 } })
  t.equal(made.status, 201)
  /** The server notices an outage, and its end, within seconds. */
  const readiness = async (status: number) => {
    const end = performance.now() + 60_000
    let answer = await call(at, 'GET /readyz')
    while (answer.status !== status && performance.now() < end) {
      await setTimeout(100)
      answer = await call(at, 'GET /readyz')
    }
    return answer
  }
  t.equal((await readiness(200)).status, 200)

  redis.freeze()
  refusedWith(t, await call(at, 'GET /api/sessions', { token }), 'store-unavailable')
  refusedWith(t, await call(at, 'POST /api/sessions', { token, body: { size_bytes: 4096 } }), 'store-unavailable')
  refusedWith(t, await call(at, 'GET /api/admin/accounts', { token: ADMIN_TOKEN }), 'store-unavailable')
  const health = await readiness(503)
  refusedWith(t, health, 'not-ready')
  t.match(health.body.errors, [{ path: 'state' }])
  t.equal((await call(at, 'GET /healthz')).status, 200, 'the process itself is well')
  t.equal((await call(at, 'GET /api/catalog')).status, 200, 'and needs no store for the catalog')

  redis.thaw()
  t.equal((await readiness(200)).status, 200)
  const { sessions } = (await call(at, 'GET /api/sessions', { token })).body
  t.same(
    sessions.map(({ id }: { id: string }) => id),
    [made.body.id],
  )
})
