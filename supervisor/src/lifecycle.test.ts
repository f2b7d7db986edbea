/** Start, stop and what must leave nothing behind. Real threads, sockets and storage engine. */
import { once } from 'node:events'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { testFolder } from '@scsipub/testkit'
import t from 'tap'
import { Harness, PREFIX } from './fixtures/harness.js'
import { descriptorsAtMost, granted, start } from './fixtures/steps.js'

t.test('connect-then-close leaves nothing behind and says nothing above debug', async t => {
  const server = start(t)
  const warm = await Promise.all([server.connect(), server.connect()]) // the first socket of a thread opens more than itself
  for (const peer of warm) await peer.send({ do: 'where' })
  for (const peer of warm) peer.socket.destroy()
  while (server.log.filter(line => line.event === 'session.ended').length < 2)
    await new Promise(resolve => setImmediate(resolve))
  const quiet = server.log.length
  const before = readdirSync('/proc/self/fd').length
  for (let round = 0; round < 50; round++) (await server.connect()).socket.destroy()
  while (server.log.filter(line => line.event === 'session.ended').length < 52) {
    await new Promise(resolve => setImmediate(resolve))
  }
  t.same(
    server.log.slice(quiet).filter(line => line['level'] !== 'debug'),
    [],
  )
  t.ok(await descriptorsAtMost(before), 'no descriptor has leaked')
})

t.test('SIGTERM: no new connection, sessions drained, exit code 0; a second one changes nothing', async t => {
  const server = start(t)
  const peer = await server.connect()
  await peer.open()
  server.signals.emit('SIGTERM')
  server.signals.emit('SIGTERM')
  await peer.closed
  t.equal(await server.exitCode, 0)
  t.match(
    server.log.find(line => line.event === 'session.ended'),
    { outcome: 'drained' },
  )
  t.match(server.log.at(-1), { event: 'server.stopped' })
  await t.rejects(server.connect())
})

t.test('a connection that has not logged in and does not end by itself is cut, without a fault being told', async t => {
  const server = start(t, { limits: { drainMs: 100 } })
  const peer = await server.connect()
  await peer.send({ do: 'stuck' })
  t.equal(await server.stop(), 0)
  t.match(await server.logged('session.ended'), { outcome: 'dropped' })
  t.same(
    server.log.filter(({ level }) => level === 'error'),
    [],
  )
})

t.test('SIGHUP reads the catalog again; an image that cannot be used is skipped with one warning', async t => {
  const server = start(t)
  await server.ready()
  const catalog = join(server.dataDir, 'catalog')
  writeFileSync(join(catalog, 'a.img'), Buffer.alloc(700))
  writeFileSync(join(catalog, 'a.json'), JSON.stringify({ name: 'a', file: 'a.img' }))
  writeFileSync(join(catalog, 'b.json'), JSON.stringify({ name: 'b', file: '../../etc/passwd' }))
  server.signals.emit('SIGHUP')
  t.match(await server.logged('catalog.reloaded'), { images: 1 })
  t.match(
    server.log.filter(line => line.event === 'catalog.image.skipped'),
    [{ manifest: 'b.json' }],
  )
  const peer = await server.connect()
  const { luns } = granted(await peer.open({ targetName: `${PREFIX}:a` }))
  t.match(luns[0]?.volume.spec, { basePath: join(catalog, 'a.img'), sizeBytes: 1024, persistence: 'ephemeral' })
})

t.test('a start that cannot be is one line that says what to do, and exit code 1', async t => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  t.teardown(() => taken.close())
  const { port } = taken.address() as { port: number }
  const file = join(testFolder(t, { file: '' }), 'file')
  const noCatalog = join(testFolder(t, { file: '', d: {} }), 'd')
  const cases: [string, ConstructorParameters<typeof Harness>[0], RegExp][] = [
    [
      'port taken',
      { env: { SCSIPUB_LISTEN_ISCSI: `127.0.0.1:${port}` } },
      /cannot listen on 127.0.0.1:\d+: the port is taken; stop/,
    ],
    [
      'port of HTTP taken',
      { env: { SCSIPUB_LISTEN_HTTP: `127.0.0.1:${port}` } },
      /cannot listen on 127.0.0.1:\d+: the port is taken; stop the other server or change listen.http/,
    ],
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

t.test('a data directory that another server uses refuses the start', async t => {
  const first = start(t)
  await first.ready()
  const second = new Harness({ dataDir: first.dataDir })
  t.equal(await second.exitCode, 1)
  t.match(second.complaints, [/cannot use the data directory .*: another server uses it/])
})

t.test('an address for IPv6 is listened on and told in brackets', async t => {
  const server = start(t, { env: { SCSIPUB_LISTEN_ISCSI: '[::1]:0' } })
  t.match((await server.logged('server.ready'))['iscsi'], /^\[::1\]:\d+$/)
})

t.test('a folder that lacks a catalog gets one', async t => {
  const dir = testFolder(t)
  mkdirSync(join(dir, 'deep'))
  const server = start(t, { dataDir: join(dir, 'deep', 'er') })
  await server.ready()
  t.ok(readdirSync(join(dir, 'deep', 'er')).includes('catalog'))
  t.equal(await server.stop(), 0)
})
