/** An upgrade as the old process lives it, with real child processes that fail where a test wants it. The whole way is in test/src/restarts. */
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { Harness } from '../fixtures/harness.js'
import { descriptorsAtMost, granted } from '../fixtures/steps.js'

const HEIR = fileURLToPath(new URL('../fixtures/heir.js', import.meta.url))
const TOKEN = 'token-of-the-administrator'

type Command = [string, ...string[]]

function start(t: Test, command: Command, options: ConstructorParameters<typeof Harness>[0] = {}): Harness {
  const env = { SCSIPUB_ADMIN_TOKEN: TOKEN, SCSIPUB_WORKERS: '1', ...options.env }
  const server = new Harness({ ...options, env, command })
  t.teardown(() => server.stop())
  return server
}

const heir = (behaviour: string): Command => [process.execPath, HEIR, behaviour]

async function askForUpgrade(server: Harness): Promise<{ status: number; body: Record<string, unknown> }> {
  const headers = { authorization: `Bearer ${TOKEN}` }
  const response = await fetch(`${await server.api()}/api/admin/upgrade`, { method: 'POST', headers })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

const failures: [what: string, command: Command, why: RegExp][] = [
  ['a program that is not there', ['/no/such/node'], /cannot be started: .*ENOENT/],
  ['code that cannot be read', [process.execPath, '-e', 'let ='], /SyntaxError: .*exit code 1/s],
  ['a fault of the configuration', heir('complains'), /^first fault; second fault \(it ended with exit code 2\)$/],
  ['another data directory', heir('checks'), /dataDir is not what it is for the server that runs; stop it/],
  ['a crash', [process.execPath, '-e', 'process.abort()'], /it was ended by SIGABRT/],
  ['an end without a word', [process.execPath, '-e', ''], /it ended with exit code 0/],
  [
    'no memory',
    ['prlimit', '--as=400000000', process.execPath, HEIR, 'hangs'],
    /\(it (ended with exit code|was ended by) /,
  ],
]
t.test('a new process that fails its checks leaves the old one serving, with the reason', async t => {
  const command: Command = ['']
  const server = start(t, command, { upgradeLimits: { readyMs: 120_000 } })
  const peer = await server.connect()
  await peer.open()
  for (const [what, [program, ...args], why] of failures) {
    command.splice(0, command.length, program, ...args)
    const { status, body } = await askForUpgrade(server)
    t.match({ status, code: body['code'] }, { status: 409, code: 'upgrade-failed' }, what)
    t.match(body['detail'], why)
    t.match(server.log.findLast(({ event }) => event === 'upgrade.refused')?.['why'], why, 'in the log too')
  }
  t.match(await peer.send({ do: 'where' }), { threadId: Number }, 'its sessions have not noticed')
  granted(await (await server.connect()).open({ isid: '00023d000002' }))
  const response = await fetch(`${await server.api()}/api/admin/upgrade`, { method: 'POST' })
  t.equal(response.status, 401, 'only the administrator can ask')
})

t.test('a new process that hangs leaves the old one serving, too', async t => {
  const server = start(t, heir('hangs'), { upgradeLimits: { readyMs: 5_000 } })
  t.match(await askForUpgrade(server), { status: 409, body: { detail: /it was not done within 5 s/ } })
  granted(await (await server.connect()).open())
})

t.test('a new process that ends with the estate, before go, leaves the old one serving on', async t => {
  const server = start(t, heir('dies with the estate'), { upgradeLimits: { readyMs: 120_000, adoptedMs: 120_000 } })
  await server.ready()
  const before = readdirSync('/proc/self/fd').length
  const failed = { status: 409, body: { code: 'upgrade-failed', detail: /ended by SIGKILL/ } }
  t.match(await askForUpgrade(server), failed)
  const peer = await server.connect()
  granted(await peer.open())
  t.equal((await fetch(`${await server.api()}/readyz`)).status, 200)
  peer.socket.destroy()
  await server.logged('session.ended')
  t.ok(await descriptorsAtMost(before), 'no descriptor has leaked')
})

t.test('one that hangs with it does so, too; logins and calls that come meanwhile have waited', async t => {
  const upgradeLimits = { readyMs: 120_000, adoptedMs: 3_000 }
  const server = start(t, heir('hangs with the estate'), { upgradeLimits })
  await server.ready()
  const before = readdirSync('/proc/self/fd').length
  const staying = await server.connect()
  granted(await staying.open({ isid: '00023d000003' }))
  const upgrade = askForUpgrade(server)
  const { time } = await server.logged('server.rests')
  const restsMs = () => Date.now() - Date.parse(String(time))
  const late = await server.connect()
  const [opened, health] = await Promise.all([
    late.open().then(opened => ({ opened, waitedMs: restsMs() })),
    fetch(`${await server.api()}/healthz`).then(({ status }) => ({ status, waitedMs: restsMs() })),
  ])
  granted(opened.opened)
  t.equal(health.status, 200)
  for (const { waitedMs } of [opened, health]) t.ok(waitedMs >= 2_990, `answered after ${waitedMs} ms`)
  t.match(await upgrade, { status: 409, body: { detail: /not done within 3 s/ } })
  const resting = await staying.send({ do: 'where' })
  t.match(resting, { told: [{ hadByNext: [7, 8] }] }, 'a session that was at rest hears what was said to it until then')
  late.socket.destroy()
  staying.socket.destroy()
  await server.logged('session.ended')
  t.ok(await descriptorsAtMost(before), 'no descriptor has leaked')
})

t.test(
  'a kept disk whose time ends meanwhile goes in one of the processes only: here, when this one goes on',
  async t => {
    const ms = 20_000 // longer than it takes until the server rests
    const upgradeLimits = { readyMs: 120_000, adoptedMs: ms }
    const server = start(t, heir('hangs with the estate'), { limits: { keptMs: ms }, upgradeLimits })
    const peer = await server.connect()
    granted(await peer.open())
    await peer.send({ do: 'busy' })
    void peer.send({ do: 'crash' })
    await server.logged('disk.kept')
    await server.logged('worker.ready', () => server.log.filter(({ event }) => event === 'worker.ready').length >= 2)
    t.match(await askForUpgrade(server), { status: 409, body: { code: 'upgrade-failed' } })
    await server.logged('disk.dropped')
    const events = server.log.map(({ event }) => event)
    t.ok(events.indexOf('server.rests') < events.indexOf('disk.dropped'), 'it was there when the server came to rest')
    t.ok(events.indexOf('upgrade.refused') < events.indexOf('disk.dropped'), 'and until the server went on')
  },
)

t.test('who has asked is told when the new process serves, and the old one ends with code 0', async t => {
  const patient = { readyMs: 120_000, adoptedMs: 120_000, servingMs: 120_000 }
  const server = start(t, heir('serves'), { upgradeLimits: patient })
  await server.ready()
  const { status, body } = await askForUpgrade(server)
  t.equal(status, 200)
  t.match(body, {
    from: { pid: process.pid, version: '0.0.0' },
    to: { pid: Number, version: '9.9.9' },
    moved: 0,
    asked_to_log_in_again: 0,
    pause_ms: Number,
    login_pause_ms: Number,
  })
  t.equal(await server.exitCode, 0)
  t.notOk(server.log.some(({ event }) => event === 'server.stopped'))
})

t.test(
  'SIGUSR2 is the same without an answer; a second request, and one while the server stops, are refused',
  async t => {
    const server = start(t, heir('hangs'), { limits: { drainMs: 60_000 }, upgradeLimits: { readyMs: 120_000 } })
    const peer = await server.connect()
    await peer.open()
    await peer.send({ do: 'deaf' })
    server.signals.emit('SIGUSR2')
    await server.logged('upgrade.preparing')
    t.match(await askForUpgrade(server), { status: 409, body: { code: 'busy', detail: /under way already/ } })
    server.signals.emit('SIGTERM')
    t.match(
      (await server.logged('upgrade.refused', ({ code }) => code === 'failed'))['why'],
      /the server is told to stop/,
    )
    server.signals.emit('SIGUSR2')
    t.match((await server.logged('upgrade.refused', ({ code }) => code === 'stopping'))['why'], /about to stop/)
    peer.socket.destroy()
    t.equal(await server.exitCode, 0, 'the drain goes on')
  },
)

t.test('SIGTERM while the server is handed over: the old process stops when it goes on itself', async t => {
  const server = start(t, heir('hangs with the estate'), { upgradeLimits: { readyMs: 120_000, adoptedMs: 1_000 } })
  await server.ready()
  server.signals.emit('SIGUSR2')
  await server.logged('server.rests')
  server.signals.emit('SIGTERM')
  t.equal(await server.exitCode, 0)
  t.match(server.log.at(-1), { event: 'server.stopped' })
})
