/** The stream of events: what comes, in what form, what is made up for after a break, and who may watch. See `EventStreams` for who does not read. */
import t, { type Test } from 'tap'
import { MAX_STREAMS } from '../events/event-streams.js'
import type { Harness } from '../fixtures/harness.js'
import { ADMIN_TOKEN, call, refusedWith } from '../fixtures/http-calls.js'
import { granted, start } from '../fixtures/steps.js'

const token = ADMIN_TOKEN
const env = { SCSIPUB_ADMIN_TOKEN: ADMIN_TOKEN }

const server = start(t, { env })
const at = await server.api()

interface Frame {
  readonly id: string | undefined
  readonly event: string | undefined
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it without ceremony
  readonly data: any
}

class Watcher {
  readonly frames: Frame[] = []
  isOver = false
  readonly response: Response
  readonly #abort: AbortController
  #news: () => void = () => {}

  constructor(response: Response, abort: AbortController) {
    this.response = response
    this.#abort = abort
    void this.#read().catch(() => {})
  }

  static async open(t: Test, at: string, lastEventId?: string): Promise<Watcher> {
    const abort = new AbortController()
    const response = await fetch(`${at}/api/admin/events`, {
      headers: { authorization: `Bearer ${token}`, ...(lastEventId !== undefined && { 'last-event-id': lastEventId }) },
      signal: abort.signal,
    })
    const watcher = new Watcher(response, abort)
    t.teardown(() => watcher.close())
    return watcher
  }

  close(): void {
    this.#abort.abort()
  }

  /** Waits for a frame of that event. */
  async until(event: string): Promise<Frame> {
    for (;;) {
      const frame = this.frames.find(frame => frame.event === event)
      if (frame) return frame
      await new Promise<void>(resolve => (this.#news = resolve))
    }
  }

  async #read(): Promise<void> {
    let text = ''
    for await (const chunk of this.response.body!.pipeThrough(new TextDecoderStream())) {
      const blocks = (text + chunk).split('\n\n')
      text = blocks.pop() ?? ''
      this.frames.push(...blocks.map(frameOf))
      this.#news()
    }
    this.isOver = true
    this.#news()
  }
}

function frameOf(block: string): Frame {
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1]
  const data = field('data')
  return { id: field('id'), event: field('event'), data: data && JSON.parse(data) }
}

async function login(server: Harness) {
  const peer = await server.connect()
  granted(await peer.open())
  return peer
}

t.test('events come as they happen: name, number, and the line of the log as JSON', async t => {
  const watcher = await Watcher.open(t, at)
  t.equal(watcher.response.status, 200)
  t.match(watcher.response.headers.get('content-type'), /^text\/event-stream\b/)
  const peer = await login(server)
  const opened = await watcher.until('session.opened')
  t.match(opened, {
    id: /^[0-9a-f]{8}-\d+$/,
    data: { level: 'info', event: 'session.opened', time: /^\d{4}-.*Z$/, target: /:blank$/ },
  })
  await peer.send({ do: 'logout' })
  t.match((await watcher.until('session.ended')).data, { outcome: 'logout' })
  await call(at, 'POST /api/admin/workers/restart', { token })
  await watcher.until('restart.done')
  const events = watcher.frames.map(({ event }) => event)
  t.ok(events.includes('restart.began') && events.includes('worker.restarted'), String(events))
  t.notOk(JSON.stringify(watcher.frames).includes('http.'), 'what is asked over HTTP is no event')
})

t.test('who comes back with the last id gets what happened meanwhile, once', async t => {
  const first = await Watcher.open(t, at)
  await (await login(server)).send({ do: 'logout' })
  const seen = await first.until('session.ended')
  first.close()
  const before = server.log.filter(line => line.event === 'session.ended').length
  for (let session = 0; session < 3; session++) {
    const peer = await login(server)
    await peer.send({ do: 'logout' })
    await peer.closed
  }
  while (server.log.filter(line => line.event === 'session.ended').length < before + 3) await new Promise(setImmediate)
  const second = await Watcher.open(t, at, seen.id)
  while (second.frames.filter(({ event }) => event === 'session.ended').length < 3) await new Promise(setImmediate)
  const ids = second.frames.flatMap(({ id }) => (id === undefined ? [] : [Number(id.split('-')[1])]))
  const from = Number(seen.id?.split('-')[1])
  t.same(
    ids,
    ids.map((_, index) => from + 1 + index),
    'in order, without a gap, none twice',
  )
  for (const strange of ['0badcafe-3', 'nonsense', `${seen.id}0000`]) {
    const watcher = await Watcher.open(t, at, strange)
    t.equal(watcher.response.status, 200, strange)
  }
})

t.test('a lease is announced before its time is over, then gone; metrics count it', async t => {
  const watcher = await Watcher.open(t, at)
  const account = await call(at, 'POST /api/admin/accounts', { token, body: { name: 'a' } })
  const body = { size_bytes: 512, ttl_seconds: 2 }
  const { id } = (await call(at, 'POST /api/sessions', { token: account.body.api_key, body })).body
  t.match((await watcher.until('lease.created')).data, { leaseId: id })
  t.match((await watcher.until('lease.expiring')).data, { leaseId: id, accountId: account.body.id, expiresAt: /Z$/ })
  await watcher.until('lease.gone')
  const names = watcher.frames.map(({ event }) => event).filter(event => event?.startsWith('lease.'))
  t.ok(names.indexOf('lease.expiring') < names.indexOf('lease.evicting'), names.join(' '))
  const metrics = await (await fetch(`${at}/metrics`)).text()
  t.match(metrics, /^scsipub_leases_warned_total 1$/m)
  t.match(metrics, /^scsipub_leases_gone_total 1$/m)
  t.match(metrics, /^scsipub_leases\{state="suspended"\} 0$/m)
})

t.test('an id of another process brings all that is kept; what is not kept any more is counted', async t => {
  const watcher = await Watcher.open(t, at)
  const peer = await server.connect()
  for (let refused = 0; refused < 1_100; refused++) await peer.open({ targetName: 'iqn.none' })
  while (watcher.frames.length < 1_100) await new Promise(setImmediate)
  const late = await Watcher.open(t, at, '00000000-7')
  const lost = await late.until('events.lost')
  t.ok(lost.data.lost >= 100, JSON.stringify(lost))
  while (late.frames.filter(({ id }) => id !== undefined).length < 1_000) await new Promise(setImmediate)
})

t.test('watchers beyond the cap are refused; when one goes there is room again', async t => {
  const watchers: Watcher[] = []
  while (watchers.at(-1)?.response.status !== 503) watchers.push(await Watcher.open(t, at))
  t.ok(watchers.length <= MAX_STREAMS + 1, `${watchers.length - 1} were let in`)
  refusedWith(t, await call(at, 'GET /api/admin/events', { token }), 'too-many-streams')
  watchers[0]?.close()
  let again = await Watcher.open(t, at)
  while (again.response.status !== 200) again = await Watcher.open(t, at) // until the server has seen it go
  t.equal(again.response.status, 200)
})

t.test('a server that stops ends the streams, and tells of its draining first', async t => {
  const server = start(t, { env })
  const at = await server.api()
  const watcher = await Watcher.open(t, at)
  const peer = await login(server)
  server.signals.emit('SIGTERM')
  await watcher.until('server.draining')
  t.match((await watcher.until('session.ended')).data, { outcome: 'drained' })
  await peer.closed
  t.equal(await server.exitCode, 0)
  while (!watcher.isOver) await new Promise(setImmediate)
})
