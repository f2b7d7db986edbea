/** What an operator sees of the session workers over HTTP, and does to them. Real server; the worker speaks JSON in place of iSCSI. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import t from 'tap'
import type { Harness } from '../fixtures/harness.js'
import { ADMIN_TOKEN, call, refusedWith } from '../fixtures/http-calls.js'
import { granted, start } from '../fixtures/steps.js'

const token = ADMIN_TOKEN
const env = { SCSIPUB_ADMIN_TOKEN: ADMIN_TOKEN }
const server = start(t, { env })
const at = await server.api()

const restart = (api: string, body?: unknown) => call(api, 'POST /api/admin/workers/restart', { token, body })
const workers = async (api: string) => (await call(api, 'GET /api/admin/workers', { token })).body.workers

/** Threads that serve, by number. */
async function threads(server: Harness): Promise<Set<number>> {
  const peers = await Promise.all(Array.from({ length: 6 }, () => server.connect()))
  const answers = await Promise.all(peers.map(peer => peer.send({ do: 'where' })))
  for (const peer of peers) peer.socket.destroy()
  await Promise.all(
    peers.map(peer => server.logged('session.ended', line => `${line['remote']}`.endsWith(`:${peer.localPort}`))),
  )
  return new Set(answers.map(answer => Number(answer?.['threadId'])))
}

t.test('the workers are listed by numbers from 0, with what runs on them', async t => {
  const peer = await server.connect()
  granted(await peer.open())
  const { status, body } = await call(at, 'GET /api/admin/workers', { token })
  t.equal(status, 200)
  t.match(body, { draining: false, sessions: 1, state_store_up: true, started_at: /^\d{4}-/, restart: undefined })
  t.same(
    body.workers.map(({ worker }: { worker: number }) => worker),
    [0, 1],
  )
  t.same(body.workers.map(({ sessions }: { sessions: number }) => sessions).sort(), [0, 1])
  t.ok(body.workers.every(({ state }: { state: string }) => state === 'serving'))
  await peer.send({ do: 'logout' })
  await peer.closed
})

t.test('all workers are restarted, or one; the answer says what came of the sessions', async t => {
  const before = await threads(server)
  const done = await restart(at)
  t.equal(done.status, 200, JSON.stringify(done.body))
  t.same(done.body, { moved: 0, dropped: 0, pauseMs: { median: 0, p99: 0, max: 0 } })
  const after = await threads(server)
  t.equal(after.size, 2)
  t.notOk(
    [...after].some(thread => before.has(thread)),
    'none of the threads is the same',
  )
  t.match(await workers(at), [
    { worker: 0, state: 'serving', replaced: 1, died: 0 },
    { worker: 1, state: 'serving', replaced: 1, died: 0 },
  ])
  t.equal((await restart(at, { worker: 1 })).status, 200)
  const last = await threads(server)
  t.equal([...last].filter(thread => after.has(thread)).length, 1, 'the other one is as it was')
  t.match(await workers(at), [{ replaced: 1 }, { replaced: 2 }])
  t.equal((await restart(at, {})).status, 200, 'an empty object is all of them too')
})

t.test('what is no number of a worker is refused, and nothing is restarted', async t => {
  const before = await threads(server)
  for (const worker of [2, 64, 2 ** 53 - 1]) {
    const answer = await restart(at, { worker })
    refusedWith(t, answer, 'worker-unknown')
    t.match(answer.body.detail, /there are 0 to 1/)
  }
  for (const body of [{ worker: -1 }, { worker: '0' }, { worker: 0.5 }, { worker: null }, { workers: 0 }, [], 0, 'x'])
    refusedWith(t, await restart(at, body), typeof body === 'string' ? 'invalid-json' : 'invalid-request')
  t.same(await threads(server), before)
})

t.test('a restart asked for twice: one is done, the other refused', async t => {
  const answers = await Promise.all([restart(at), restart(at), restart(at, { worker: 0 })])
  const refused = answers.filter(({ status }) => status !== 200)
  t.equal(refused.length, 2)
  for (const answer of refused) refusedWith(t, answer, 'restart-running')
  t.equal((await restart(at)).status, 200)
})

t.test('strangers restart nothing, watch nothing and stop nothing', async t => {
  for (const what of [
    'POST /api/admin/workers/restart',
    'GET /api/admin/workers',
    'GET /api/admin/events',
    'POST /api/admin/drain',
  ]) {
    refusedWith(t, await call(at, what), 'unauthenticated')
    refusedWith(t, await call(at, what, { token: 'x'.repeat(20) }), 'admin-token-invalid')
  }
})

t.test('when no other worker can start, the answer says so and the service is as it was', async t => {
  const server = start(t, { env })
  const at = await server.api()
  const peer = await server.connect()
  granted(await peer.open())
  const before = await peer.send({ do: 'where' })
  process.env['SCSIPUB_TEST_NO_WORKER'] = 'yes'
  t.teardown(() => delete process.env['SCSIPUB_TEST_NO_WORKER'])
  for (const body of [undefined, { worker: 1 }]) {
    const answer = await restart(at, body)
    refusedWith(t, answer, 'worker-cannot-start')
    t.match(answer.body.detail, /worker \d goes on as it was: .*cannot start on purpose/)
  }
  t.same(await peer.send({ do: 'where' }), before, 'the session is where it was')
  const another = await server.connect()
  granted(await another.open())
  t.match(await workers(at), [
    { state: 'serving', replaced: 0, died: 0 },
    { state: 'serving', replaced: 0, died: 0 },
  ])
  t.equal((await call(at, 'GET /readyz')).status, 200)
  delete process.env['SCSIPUB_TEST_NO_WORKER']
  for (const one of [peer, another]) {
    await one.send({ do: 'logout' })
    await one.closed
  }
  t.equal((await restart(at)).status, 200, 'and as soon as one can start it is done')
})

t.test('drain: the answer comes, sessions are drained, the server ends with code 0', async t => {
  const server = start(t, { env })
  const at = await server.api()
  const peer = await server.connect()
  granted(await peer.open())
  const answer = await call(at, 'POST /api/admin/drain', { token })
  t.match(answer, { status: 202, body: { sessions: 1, deadline_ms: 10_000 } })
  await peer.closed
  t.equal(await server.exitCode, 0)
  t.match(
    server.log.find(line => line.event === 'server.draining'),
    { why: 'asked for over HTTP' },
  )
  t.match(
    server.log.find(line => line.event === 'session.ended'),
    { outcome: 'drained' },
  )
})

t.test(
  'a restart during a drain is refused, by connections of before and new ones; who watches is answered',
  async t => {
    const server = start(t, { env, limits: { drainMs: 60_000 } })
    const at = await server.api()
    const peer = await server.connect()
    granted(await peer.open())
    await peer.send({ do: 'deaf' }) // so that the drain takes its time
    const agent = await keptOpen(at)
    server.signals.emit('SIGTERM')
    await server.logged('server.draining')
    const { status, code } = await agent.restart()
    t.equal(status, 503)
    t.equal(code, 'stopping')
    for (const body of [undefined, { worker: 0 }, { worker: 99 }]) refusedWith(t, await restart(at, body), 'stopping')
    refusedWith(t, await call(at, 'POST /api/admin/drain', { token }), 'stopping')
    t.match(await call(at, 'GET /api/admin/workers', { token }), { status: 200, body: { draining: true } })
    t.equal((await call(at, 'GET /healthz')).status, 200)
    refusedWith(t, await call(at, 'GET /readyz'), 'not-ready')
    t.match(await (await fetch(`${at}/metrics`)).text(), /^scsipub_draining 1$/m)
    peer.socket.destroy()
    t.equal(await server.exitCode, 0)
    t.notOk(server.log.some(line => line.event === 'restart.began'))
  },
)

/** A connection of HTTP that was there before the listener closed. */
async function keptOpen(at: string) {
  const { hostname, port } = new URL(at)
  const socket = connect({ host: hostname, port: Number(port) })
  await once(socket, 'connect')
  // Half a request keeps it from being closed as idle.
  socket.write(`POST /api/admin/workers/restart HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n`)
  for (let turn = 0; turn < 10; turn++) await setTimeout(10) // the event loop turns, and the server reads it
  return {
    restart: async () => {
      socket.write('Content-Length: 0\r\n\r\n')
      let text = ''
      socket.setEncoding('utf8').on('data', chunk => {
        text += chunk
      })
      await once(socket, 'close')
      return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]), code: /"code":"([a-z-]+)"/.exec(text)?.[1] }
    },
  }
}
