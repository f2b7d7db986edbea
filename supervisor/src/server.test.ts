/** The supervisor as a whole: real threads, real sockets, the real storage engine, and a worker that speaks lines of JSON. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { Harness, INITIATOR, PREFIX, type Peer } from './fixtures/harness.js'

const LAB = JSON.stringify([{ name: 'lab', auth: 'none', luns: [{ sizeBytes: 1_048_576 }, { sizeBytes: 2_097_152 }] }])

function start(t: Test, options: ConstructorParameters<typeof Harness>[0] = {}): Harness {
  const server = new Harness(options)
  t.teardown(() => server.stop())
  return server
}

function refusal(opened: Awaited<ReturnType<Peer['open']>>): number | undefined {
  return 'refuse' in opened ? opened.refuse.class * 256 + opened.refuse.detail : undefined
}

function granted(opened: Awaited<ReturnType<Peer['open']>>) {
  if ('refuse' in opened) throw new Error(`refused: ${opened.refuse.why}`)
  return opened
}

/** Whether the process comes down to that many descriptors; sockets close a little after their `destroy`. */
async function descriptorsAtMost(count: number): Promise<boolean> {
  const deadline = performance.now() + 3_000
  while (readdirSync('/proc/self/fd').length > count) {
    if (performance.now() > deadline) return false
    await new Promise((resolve) => setImmediate(resolve))
  }
  return true
}

t.test('a login to :blank gets a private disk of 64 MiB with a quota of 64 MiB, gone after the session', async (t) => {
  const server = start(t)
  const peer = await server.connect()
  const { luns, tsih, nexusLost } = granted(await peer.open())
  t.equal(tsih, 1)
  t.equal(nexusLost, false)
  t.equal(luns.length, 1)
  t.match(luns[0], { lun: 0, product: 'BLANK', readOnly: false })
  t.match(luns[0]?.volume.spec, { persistence: 'ephemeral', sizeBytes: 67_108_864, quotaBytes: 67_108_864, blockBytes: 512 })
  const other = await server.connect()
  const second = granted(await other.open({ isid: '00023d000002' }))
  t.not(second.luns[0]?.volume.identity.serial, luns[0]?.volume.identity.serial, 'each login has a disk of its own')
  t.not(second.tsih, tsih, 'TSIHs are unique among live sessions [7143 §3.4.3]')
  await peer.send({ do: 'logout' })
  t.match(await server.logged('session.ended'), { outcome: 'logout', initiator: INITIATOR, target: `${PREFIX}:blank`, tsih: 1 })
})

t.test('a target name is found in any case [RFC 3722]; an unknown one is 0203, a missing one 0207 [7143 §11.13.5]', async (t) => {
  const server = start(t)
  const peer = await server.connect()
  const identify = { kind: 'target.identify', initiatorName: INITIATOR, sessionType: 'normal' }
  t.match(await peer.send({ ask: { ...identify, targetName: `${PREFIX.toUpperCase()}:BLANK` } }), { auth: 'none' })
  t.match(await peer.send({ ask: { ...identify, targetName: `${PREFIX}:nothing` } }), { refuse: { class: 2, detail: 3 } })
  t.match(await peer.send({ ask: identify }), { refuse: { class: 2, detail: 7 } })
  t.match(await peer.send({ ask: { ...identify, targetName: `${PREFIX}:\u001b[31m\u202e` } }), { refuse: { class: 2, detail: 3 } })
  t.match(await server.logged('login.refused', (line) => String(line['target']).includes('[31m')), { target: `${PREFIX}:[31m` })
  t.equal(granted(await peer.open({ targetName: `${PREFIX}:Multi` })).luns.length, 4)
})

t.test('discovery lists every target at the address that was connected to; a normal session sees its own only', async (t) => {
  const server = start(t, { env: { SCSIPUB_TARGETS: LAB } })
  const { port } = await server.ready()
  const peer = await server.connect()
  t.match(await peer.open({ sessionType: 'discovery', targetName: undefined }), { luns: [], nexusLost: false })
  const list = { kind: 'targets.list', initiatorName: INITIATOR, localAddress: `127.0.0.1:${port}` }
  const addresses = [{ address: `127.0.0.1:${port}`, portalGroupTag: 1 }]
  t.same(await peer.send({ ask: list }), { targets: ['blank', 'multi', 'lab'].map((leaf) => ({ name: `${PREFIX}:${leaf}`, addresses })) })
  const normal = await server.connect()
  await normal.open()
  t.same(await normal.send({ ask: list }), { targets: [{ name: `${PREFIX}:blank`, addresses }] })
})

t.test('advertise.iscsi replaces the address in SendTargets', async (t) => {
  const server = start(t, { env: { SCSIPUB_ADVERTISE_ISCSI: 'disks.example.com:3260' } })
  const peer = await server.connect()
  const reply = await peer.send({ ask: { kind: 'targets.list', initiatorName: INITIATOR, localAddress: '10.0.0.1:3260' } })
  t.match(reply, { targets: [{ addresses: [{ address: 'disks.example.com:3260' }] }] })
})

t.test("the operator's target is one persistent disk for all, without quota, and the same after a restart", async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'scsipub-supervisor-'))
  t.teardown(() => rmSync(dataDir, { recursive: true }))
  const serials: (string | undefined)[] = []
  for (let round = 0; round < 2; round++) {
    const server = new Harness({ dataDir, env: { SCSIPUB_TARGETS: LAB } })
    for (const isid of ['00023d000001', '00023d000002']) {
      const peer = await server.connect()
      const { luns } = granted(await peer.open({ isid, targetName: `${PREFIX}:lab` }))
      t.equal(luns.length, 2)
      t.match(luns[1]?.volume.spec, { volumeId: 'lab.lun1', persistence: 'persistent', sizeBytes: 2_097_152, quotaBytes: 0 })
      serials.push(luns[0]?.volume.identity.serial)
    }
    t.equal(await server.stop(), 0)
  }
  t.equal(new Set(serials).size, 1)
})

t.test('session reinstatement: the old session is over before the new login is answered [7143 §6.3.5]', async (t) => {
  const server = start(t)
  const old = await server.connect()
  const first = granted(await old.open())
  const next = await server.connect()
  const second = granted(await next.open())
  const ended = server.log.findIndex((line) => line.event === 'session.ended' && line['outcome'] === 'reinstated')
  const opened = server.log.findIndex((line) => line.event === 'session.opened' && line['tsih'] === second.tsih)
  t.ok(ended >= 0 && ended < opened, 'ended, then opened')
  t.equal(second.nexusLost, true)
  t.not(second.tsih, first.tsih)
  await old.closed
  t.match(await next.send({ do: 'where' }), { threadId: Number }, 'the new session lives')
})

t.test('logins of one nexus that race are taken one after the other, and one session is left [7143 §6.3.5]', async (t) => {
  const server = start(t)
  const peers = await Promise.all(Array.from({ length: 12 }, () => server.connect()))
  const replies = await Promise.all(peers.map((peer) => Promise.race([peer.open(), peer.closed.then(() => undefined)])))
  const tsihs = replies.flatMap((reply) => (reply && 'tsih' in reply ? [reply.tsih] : []))
  t.equal(new Set(tsihs).size, tsihs.length)
  while (server.log.filter((line) => line.event === 'session.ended').length < 11) await new Promise((resolve) => setImmediate(resolve))
  const ended = new Set(server.log.filter((line) => line.event === 'session.ended').map((line) => line['tsih']))
  const live = server.log.filter((line) => line.event === 'session.opened' && !ended.has(line['tsih']))
  t.equal(live.length, 1)
})

t.test('a session that ignores its end is cut off, then the login is answered [7143 §6.3.5]', async (t) => {
  const server = start(t, { limits: { toldMs: 50 } })
  const old = await server.connect()
  await old.open()
  await old.send({ do: 'deaf' })
  const next = await server.connect()
  t.equal(granted(await next.open()).nexusLost, true)
  t.ok(server.log.some((line) => line.event === 'session.cut'))
  await old.closed
})

t.test('while a session will not end at all, a login of its nexus is told 0301, try again [7143 §6.3.5]', async (t) => {
  const server = start(t, { limits: { toldMs: 20, cutMs: 50 } })
  const old = await server.connect()
  await old.open()
  await old.send({ do: 'stuck' })
  const next = await server.connect()
  t.equal(refusal(await next.open()), 0x0301)
  t.notOk(server.log.some((line) => line.event === 'session.ended'))
  old.socket.destroy()
  await next.send({ do: 'crash' })
})

t.test('TSIH not 0 [7143 §6.3.1]', async (t) => {
  const server = start(t)
  const live = await server.connect()
  const { tsih } = granted(await live.open())
  const peer = await server.connect()
  t.equal(refusal(await peer.open({ tsih: 77 })), 0x020a, 'no such TSIH')
  t.equal(refusal(await peer.open({ tsih, isid: '00023d0000ff' })), 0x020a, 'that TSIH, but another ISID')
  t.equal(refusal(await peer.open({ tsih, cid: 1 })), 0x0206, 'a second connection')
  t.equal(refusal(await peer.open({ sessionType: 'discovery', tsih })), 0x020a, 'discovery')
  t.match(await live.send({ do: 'where' }), { threadId: Number }, 'the live session has not noticed')
  t.equal(refusal(await peer.open({ tsih, cid: 0 })), 0x020a, 'the same connection: ends the old one [7143 §6.3.4]')
  await live.closed
  granted(await peer.open())
})

t.test('when a worker dies its sessions end, the others go on, another worker comes, and its slot is used again', async (t) => {
  const server = start(t)
  const peers = await Promise.all(Array.from({ length: 6 }, () => server.connect()))
  const where = await Promise.all(peers.map(async (peer, at) => {
    await peer.open({ isid: `00023d00000${at}` })
    return (await peer.send({ do: 'where' }))?.['threadId']
  }))
  t.equal(new Set(where).size, 2)
  t.equal(where.filter((thread) => thread === where[0]).length, 3, 'sessions are spread evenly')
  const before = readdirSync('/proc/self/fd').length
  void peers[0]?.send({ do: 'crash' })
  const dead = peers.filter((_, at) => where[at] === where[0])
  await Promise.all(dead.map((peer) => peer.closed))
  for (const [at, peer] of peers.entries()) {
    if (where[at] !== where[0]) t.match(await peer.send({ do: 'where' }), { threadId: where[at] as number })
  }
  await server.logged('worker.ready', (line) => line['threadId'] !== where[0] && line['threadId'] !== where.find((w) => w !== where[0]) && line['slot'] === 0)
  const fresh = await Promise.all(Array.from({ length: 3 }, () => server.connect()))
  const places = await Promise.all(fresh.map(async (peer) => (await peer.send({ do: 'where' }))?.['threadId']))
  t.equal(new Set(places).size, 1, 'the new worker takes the new sessions')
  t.notOk(where.includes(places[0]))
  for (const peer of fresh) peer.socket.destroy()
  t.ok(await descriptorsAtMost(before), 'no descriptor has leaked')
})

t.test('an exception of one session ends that session alone', async (t) => {
  const server = start(t)
  const [bad, good] = [await server.connect(), await server.connect()]
  await bad.open()
  await good.open({ isid: '00023d000002' })
  void bad.send({ do: 'throw' })
  t.match(await server.logged('session.ended'), { outcome: 'dropped' })
  t.match(await good.send({ do: 'where' }), { threadId: Number })
})

t.test('the caps: sessions of one address and in all are told 0301, try again; ended ones make room', async (t) => {
  const env = { SCSIPUB_FREE_CAPLOOPBACK: 'true', SCSIPUB_FREE_MAXSESSIONSPERADDRESS: '2', SCSIPUB_TARGETS: LAB }
  const server = start(t, { env })
  const peers = await Promise.all(Array.from({ length: 4 }, () => server.connect()))
  const [a, b, c, d] = peers as [Peer, Peer, Peer, Peer]
  granted(await a.open({ isid: '00023d000001' }))
  granted(await b.open({ isid: '00023d000002' }))
  t.equal(refusal(await c.open({ isid: '00023d000003' })), 0x0301)
  t.match(await server.logged('login.refused'), { status: '0301', why: 'too many sessions of one address' })
  granted(await d.open({ isid: '00023d000004', targetName: `${PREFIX}:lab` }))
  await a.send({ do: 'logout' })
  await server.logged('session.ended')
  granted(await c.open({ isid: '00023d000003' }))
})

t.test('a reinstating login needs no room beside its old session', async (t) => {
  const server = start(t, { env: { SCSIPUB_FREE_MAXSESSIONS: '1' } })
  const [a, b] = [await server.connect(), await server.connect()]
  granted(await a.open())
  t.equal(refusal(await b.open({ isid: '00023d000002' })), 0x0301)
  granted(await b.open())
})

t.test('connections far beyond the cap are closed without a word', async (t) => {
  const server = start(t, { env: { SCSIPUB_FREE_CAPLOOPBACK: 'true', SCSIPUB_FREE_MAXSESSIONSPERADDRESS: '1' } })
  const peers = await Promise.all(Array.from({ length: 34 }, () => server.connect()))
  await Promise.race(peers.map((peer) => peer.closed))
  t.match(await server.logged('connection.refused'), { why: 'too many connections' })
  t.match(await peers[0]?.send({ do: 'where' }), { threadId: Number })
})

t.test('connect-then-close leaves nothing behind and says nothing above debug', async (t) => {
  const server = start(t)
  const warm = await Promise.all([server.connect(), server.connect()]) // the first socket of a thread opens more than itself
  for (const peer of warm) await peer.send({ do: 'where' })
  for (const peer of warm) peer.socket.destroy()
  while (server.log.filter((line) => line.event === 'session.ended').length < 2) await new Promise((resolve) => setImmediate(resolve))
  const quiet = server.log.length
  const before = readdirSync('/proc/self/fd').length
  for (let round = 0; round < 50; round++) (await server.connect()).socket.destroy()
  while (server.log.filter((line) => line.event === 'session.ended').length < 52) {
    await new Promise((resolve) => setImmediate(resolve))
  }
  t.same(server.log.slice(quiet).filter((line) => line['level'] !== 'debug'), [])
  t.ok(await descriptorsAtMost(before), 'no descriptor has leaked')
})

t.test('SIGTERM: no new connection, sessions drained, exit code 0; a second one changes nothing', async (t) => {
  const server = new Harness()
  const peer = await server.connect()
  await peer.open()
  server.signals.emit('SIGTERM')
  server.signals.emit('SIGTERM')
  await peer.closed
  t.equal(await server.exitCode, 0)
  t.match(server.log.find((line) => line.event === 'session.ended'), { outcome: 'drained' })
  t.match(server.log.at(-1), { event: 'server.stopped' })
  await t.rejects(server.connect())
  await server.stop()
})

t.test('SIGHUP reads the catalog again; an image that cannot be used is skipped with one warning', async (t) => {
  const server = start(t)
  await server.ready()
  const catalog = join(server.dataDir, 'catalog')
  writeFileSync(join(catalog, 'a.img'), Buffer.alloc(700))
  writeFileSync(join(catalog, 'a.json'), JSON.stringify({ name: 'a', file: 'a.img' }))
  writeFileSync(join(catalog, 'b.json'), JSON.stringify({ name: 'b', file: '../../etc/passwd' }))
  server.signals.emit('SIGHUP')
  t.match(await server.logged('catalog.reloaded'), { images: 1 })
  t.match(server.log.filter((line) => line.event === 'catalog.image.skipped'), [{ manifest: 'b.json' }])
  const peer = await server.connect()
  const { luns } = granted(await peer.open({ targetName: `${PREFIX}:a` }))
  t.match(luns[0]?.volume.spec, { basePath: join(catalog, 'a.img'), sizeBytes: 1024, persistence: 'ephemeral' })
})

t.test('a start that cannot be is one line that says what to do, and exit code 1', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  t.teardown(() => taken.close())
  const { port } = taken.address() as { port: number }
  const file = join(t.testdir({ file: '' }), 'file')
  const noCatalog = join(t.testdir({ file: '', d: {} }), 'd')
  const cases: [string, ConstructorParameters<typeof Harness>[0], RegExp][] = [
    ['port taken', { env: { SCSIPUB_LISTEN_ISCSI: `127.0.0.1:${port}` } }, /cannot listen on 127.0.0.1:\d+: the port is taken; stop/],
    ['data directory is a file', { dataDir: file }, /cannot use the data directory .* \((EEXIST|ENOTDIR)\); make it/],
    [
      'no such image',
      { dataDir: noCatalog, env: { SCSIPUB_TARGETS: '[{"name":"x","auth":"none","luns":[{"image":"none"}]}]' } },
      /target "x", LUN 0: the catalog has no image "none"/,
    ],
  ]
  for (const [what, options, line] of cases) {
    const server = new Harness(options)
    t.equal(await server.exitCode, 1, what)
    t.equal(server.complaints.length, 1)
    t.match(server.complaints[0], line)
    t.notMatch(server.complaints[0], /\n/)
    await server.stop()
  }
})

t.test('a data directory that another server uses refuses the start', async (t) => {
  const first = start(t)
  await first.ready()
  const second = new Harness({ dataDir: first.dataDir })
  t.equal(await second.exitCode, 1)
  t.match(second.complaints, [/cannot use the data directory .*: another server uses it/])
})

t.test('an address for IPv6 is listened on and told in brackets', async (t) => {
  const server = start(t, { env: { SCSIPUB_LISTEN_ISCSI: '[::1]:0' } })
  t.match((await server.logged('server.ready'))['iscsi'], /^\[::1\]:\d+$/)
})

t.test('a folder that lacks a catalog gets one', async (t) => {
  const dir = t.testdir({})
  mkdirSync(join(dir, 'deep'))
  const server = new Harness({ dataDir: join(dir, 'deep', 'er') })
  await server.ready()
  t.ok(readdirSync(join(dir, 'deep', 'er')).includes('catalog'))
  t.equal(await server.stop(), 0)
})
