/** /metrics as Prometheus reads it, and that what happens is seen in it. Real server; the worker speaks JSON in place of iSCSI. */
import t from 'tap'
import { ADMIN_TOKEN, call } from '../fixtures/http-calls.js'
import { granted, start } from '../fixtures/steps.js'

const env = { SCSIPUB_ADMIN_TOKEN: ADMIN_TOKEN }
const server = start(t, { env })
const at = await server.api()

/** Samples by name with labels. */
async function scrape(): Promise<Map<string, number>> {
  const response = await fetch(`${at}/metrics`)
  const text = await response.text()
  return new Map(
    text
      .split('\n')
      .filter(line => line !== '' && !line.startsWith('#'))
      .map(line => {
        const [, name = '', value] = /^(\S+(?:\{.*\})?) (\S+)$/.exec(line) ?? []
        return [name, Number(value)] as const
      }),
  )
}

t.test('anybody may read it, and it has the form that Prometheus reads', async t => {
  const response = await fetch(`${at}/metrics`)
  t.equal(response.status, 200)
  t.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
  const text = await response.text()
  const label = '[a-z_]+="(?:[^"\\\\\\n]|\\\\["\\\\n])*"'
  const sample = new RegExp(`^[a-z_]+(\\{${label}(,${label})*\\})? (-?[0-9.]+(e[+-]?[0-9]+)?|[+]Inf|NaN)$`)
  const names = new Set<string>()
  let family = ''
  for (const line of text.trimEnd().split('\n')) {
    const [, keyword, name] = /^# (HELP|TYPE) (\S+) \S/.exec(line) ?? []
    if (keyword === 'HELP') {
      t.notOk(names.has(name ?? ''), `${name} once`)
      names.add(name ?? '')
      family = name ?? ''
    } else if (keyword === 'TYPE') t.equal(name, family)
    else {
      t.match(line, sample)
      t.ok(line.startsWith(family), `${line} stands with its family`)
    }
  }
  t.ok(text.endsWith('\n'))
})

t.test('sessions, logins by outcome and status, and how sessions end', async t => {
  const peer = await server.connect()
  granted(await peer.open())
  t.equal((await scrape()).get('scsipub_sessions'), 1)
  const stranger = await server.connect()
  await stranger.open({ targetName: 'iqn.none' })
  await peer.send({ do: 'logout' })
  await server.logged('session.ended')
  const now = await scrape()
  t.equal(now.get('scsipub_sessions'), 0)
  t.equal(now.get('scsipub_logins_total{outcome="accepted",kind="new",status="0000"}'), 1)
  t.equal(now.get('scsipub_logins_total{outcome="refused",kind="",status="0203"}'), 1)
  t.equal(now.get('scsipub_sessions_ended_total{outcome="logout"}'), 1)
  t.equal(now.get('scsipub_connections'), 1)
  stranger.socket.destroy()
  await server.logged('session.ended', line => `${line['remote']}`.endsWith(`:${stranger.localPort}`))
})

t.test('restarts, failures and deaths of workers: the rows of the failure table', async t => {
  const before = await scrape()
  t.equal(before.get('scsipub_worker_up{worker="0"}'), 1)
  const thrower = await server.connect()
  granted(await thrower.open())
  void thrower.send({ do: 'throw' })
  await server.logged('session.failed')
  t.equal((await scrape()).get('scsipub_session_failures_total'), 1, 'an exception inside one actor')

  const crasher = await server.connect()
  granted(await crasher.open())
  void crasher.send({ do: 'crash' })
  await server.logged('worker.died')
  const dead = await scrape()
  const died = [0, 1].map(worker => dead.get(`scsipub_worker_died_total{worker="${worker}"}`) ?? 0)
  t.same(died.sort(), [0, 1], 'a worker that has died')
  t.equal(dead.get('scsipub_events_total{event="worker.died"}'), 1)

  while ((await call(at, 'GET /readyz')).status !== 200) await new Promise(setImmediate)
  for (const peer of [thrower, crasher]) peer.socket.destroy()
  const { status, body } = await call(at, 'POST /api/admin/workers/restart', { token: ADMIN_TOKEN })
  t.equal(status, 200, JSON.stringify(body))
  const rolled = await scrape()
  t.equal(rolled.get('scsipub_worker_restarts_total{reason="asked"}'), 2)
  t.equal(rolled.get('scsipub_sessions_dropped_total'), 0)
  t.equal(rolled.get('scsipub_restarts_failed_total'), 0)
  t.equal(rolled.get('scsipub_move_pause_seconds_count'), 0)
})

t.test('state store, engine, disk, process', async t => {
  const now = await scrape()
  t.equal(now.get('scsipub_state_store_up'), 1)
  t.equal(now.get('scsipub_state_store_outages_total'), 0)
  t.equal(now.get('scsipub_engine_up'), 1)
  t.ok((now.get('scsipub_engine_answer_seconds') ?? -1) >= 0)
  t.ok((now.get('scsipub_data_free_bytes') ?? 0) > 0)
  t.ok((now.get('scsipub_data_size_bytes') ?? 0) >= (now.get('scsipub_data_free_bytes') ?? 0))
  t.equal(now.get('scsipub_leases{state="attached"}'), 0)
  t.equal(now.get('scsipub_draining'), 0)
  const started = now.get('process_start_time_seconds') ?? 0
  t.ok(started <= Date.now() / 1000 && started > Date.now() / 1000 - 3_600)
})
