/** The operator's commands: what is sent, what is printed. */
import t from 'tap'
import { overviewThat, workerThat } from './fixtures/overview.js'
import { json, scsipub, serverThat } from './fixtures/stub-server.js'

const ADMIN = { SCSIPUB_ADMIN_TOKEN: 'the token' }

t.test('workers list shows a line each', async t => {
  const died = workerThat({ worker: 1, state: 'restarting', sessions: 12, connections: 13, replaced: 3, died: 1 })
  const { url, seen } = await serverThat(t, json(overviewThat({ workers: [workerThat({}), died] })))
  const { code, out } = await scsipub(['workers', 'list', '--server', url], ADMIN)
  t.equal(code, 0)
  t.match(seen, [{ method: 'GET', url: '/api/admin/workers', authorization: 'Bearer the token' }])
  t.equal(
    out,
    `WORKER  STATE       SESSIONS  CONNECTIONS  HEAP    BUFFERS  SINCE                    REPLACED  DIED
0       serving     0         0            10 MiB  1 MiB    2030-01-31 10:20:30 UTC  0         0
1       restarting  12        13           10 MiB  1 MiB    2030-01-31 10:20:30 UTC  3         1
`,
  )
  t.same(JSON.parse((await scsipub(['workers', 'list', '--json', '--server', url], ADMIN)).out).workers.length, 2)
})

t.test('workers restart asks for all, or for one, and prints what came of it', async t => {
  const report = { moved: 1000, dropped: 1, pauseMs: { median: 1.2, p99: 4.5, max: 11 } }
  const { url, seen } = await serverThat(t, json(report))
  const all = await scsipub(['workers', 'restart', '--server', url], ADMIN)
  t.equal(
    all.out,
    'all workers are new: 1000 sessions moved, 1 dropped\npause: median 1.2 ms, p99 4.5 ms, longest 11 ms\n',
  )
  const one = await scsipub(['workers', 'restart', '--worker', '1', '--server', url], ADMIN)
  t.match(one.out, /^worker 1 is new: /)
  t.same(
    seen.map(({ method, url, body }) => [method, url, body]),
    [
      ['POST', '/api/admin/workers/restart', {}],
      ['POST', '/api/admin/workers/restart', { worker: 1 }],
    ],
  )
})

t.test('what is no number of a worker never gets to the server; a refusal is exit code 2 with its code', async t => {
  const problem = { detail: 'there is no worker 7; there are 0 to 1', code: 'worker-unknown' }
  const { url, seen } = await serverThat(t, json(problem, 404, 'application/problem+json'))
  for (const worker of ['x', '-1', '1.5', ''])
    t.equal((await scsipub(['workers', 'restart', `--worker=${worker}`, '--server', url], ADMIN)).code, 1, worker)
  t.equal(seen.length, 0)
  t.match(await scsipub(['workers', 'restart', '--worker', '7', '--server', url], ADMIN), {
    code: 2,
    err: 'scsipub: there is no worker 7; there are 0 to 1 (worker-unknown)\n',
  })
})

t.test('a restart that is refused for another reason says which, and by what to tell it', async t => {
  for (const [code, status, detail] of [
    ['restart-running', 409, 'a restart is under way, at worker 0; wait until it is over'],
    ['worker-cannot-start', 503, 'worker 0 goes on as it was: no memory for a thread'],
    ['stopping', 503, 'the server is about to stop'],
  ] as const) {
    const { url } = await serverThat(t, json({ detail, code }, status, 'application/problem+json'))
    const { code: exit, out, err } = await scsipub(['workers', 'restart', '--server', url], ADMIN)
    t.same({ exit, out, err }, { exit: 2, out: '', err: `scsipub: ${detail} (${code})\n` })
  }
})

t.test('drain says what comes', async t => {
  const { url, seen } = await serverThat(t, json({ sessions: 3, deadline_ms: 10_000 }, 202))
  const { code, out } = await scsipub(['drain', '--server', url], ADMIN)
  t.equal(code, 0)
  t.equal(out, 'the server stops: 3 sessions have 10 s to log out; it flushes and ends by itself\n')
  t.match(seen, [{ method: 'POST', url: '/api/admin/drain' }])
})

t.test('without the token nothing is asked, and the message says how to give it', async t => {
  for (const words of ['workers list', 'workers restart', 'drain', 'top']) {
    const { code, err } = await scsipub([...words.split(' '), '--server', 'http://127.0.0.1:9'])
    t.equal(code, 1, words)
    t.match(err, /SCSIPUB_ADMIN_TOKEN/)
  }
})
