/** Sessions that meet, and sessions whose worker dies. Real threads, sockets and storage engine. */
import { readdirSync } from 'node:fs'
import t from 'tap'
import { descriptorsAtMost, granted, refusal, start } from './fixtures/steps.js'

t.test('session reinstatement: the old session is over before the new login is answered [7143 §6.3.5]', async t => {
  const server = start(t)
  const old = await server.connect()
  const first = granted(await old.open())
  const next = await server.connect()
  const second = granted(await next.open())
  const ended = server.log.findIndex(line => line.event === 'session.ended' && line['outcome'] === 'reinstated')
  const opened = server.log.findIndex(line => line.event === 'session.opened' && line['tsih'] === second.tsih)
  t.ok(ended >= 0 && ended < opened, 'ended, then opened')
  t.equal(second.nexusLost, true)
  t.not(second.tsih, first.tsih)
  await old.closed
  t.match(await next.send({ do: 'where' }), { threadId: Number }, 'the new session lives')
})

t.test(
  'logins of one nexus that race are taken one after the other, and one session is left [7143 §6.3.5]',
  async t => {
    const server = start(t)
    const peers = await Promise.all(Array.from({ length: 12 }, () => server.connect()))
    const replies = await Promise.all(peers.map(peer => Promise.race([peer.open(), peer.closed.then(() => undefined)])))
    const tsihs = replies.flatMap(reply => (reply && 'tsih' in reply ? [reply.tsih] : []))
    t.equal(new Set(tsihs).size, tsihs.length)
    while (server.log.filter(line => line.event === 'session.ended').length < 11)
      await new Promise(resolve => setImmediate(resolve))
    const ended = new Set(server.log.filter(line => line.event === 'session.ended').map(line => line['tsih']))
    const live = server.log.filter(line => line.event === 'session.opened' && !ended.has(line['tsih']))
    t.equal(live.length, 1)
  },
)

t.test('a session that ignores its end is cut off, then the login is answered [7143 §6.3.5]', async t => {
  const server = start(t, { limits: { toldMs: 50 } })
  const old = await server.connect()
  await old.open()
  await old.send({ do: 'deaf' })
  const next = await server.connect()
  t.equal(granted(await next.open()).nexusLost, true)
  t.ok(server.log.some(line => line.event === 'session.cut'))
  await old.closed
})

t.test('while a session will not end at all, a login of its nexus is told 0301, try again [7143 §6.3.5]', async t => {
  const server = start(t, { limits: { toldMs: 20, cutMs: 50, drainMs: 100 } })
  const old = await server.connect()
  await old.open()
  await old.send({ do: 'stuck' })
  const next = await server.connect()
  t.equal(refusal(await next.open()), 0x0301)
  t.notOk(server.log.some(line => line.event === 'session.ended'))
  old.socket.destroy()
  await next.send({ do: 'crash' })
})

t.test('TSIH not 0 [7143 §6.3.1]', async t => {
  const server = start(t)
  const live = await server.connect()
  const { tsih } = granted(await live.open())
  const peer = await server.connect()
  t.equal(refusal(await peer.open({ tsih: 77 })), 0x020a, 'no such TSIH')
  t.equal(refusal(await peer.open({ tsih, isid: '00023d0000ff' })), 0x020a, 'that TSIH, but another ISID')
  t.equal(refusal(await peer.open({ sessionType: 'discovery', tsih })), 0x020a, 'discovery')
  t.match(await live.send({ do: 'where' }), { threadId: Number }, 'the live session has not noticed')
  t.same(await peer.open({ tsih, cid: 1 }), { joins: tsih }, 'another connection of the session')
  live.socket.destroy()
  t.match(await server.logged('connection.ended'), { tsih, cid: 0 }, 'the session goes on with it')
  t.notOk(server.log.some(line => line.event === 'session.ended'))
  const next = await server.connect()
  t.equal(granted(await next.open()).nexusLost, true)
  await peer.closed
})

t.test(
  'when a worker dies its sessions end, the others go on, another worker comes, and its slot is used again',
  async t => {
    const server = start(t)
    const peers = await Promise.all(Array.from({ length: 6 }, () => server.connect()))
    const where = await Promise.all(
      peers.map(async (peer, at) => {
        await peer.open({ isid: `00023d00000${at}` })
        return (await peer.send({ do: 'where' }))?.['threadId']
      }),
    )
    t.equal(new Set(where).size, 2)
    t.equal(where.filter(thread => thread === where[0]).length, 3, 'sessions are spread evenly')
    const before = readdirSync('/proc/self/fd').length
    void peers[0]?.send({ do: 'crash' })
    const dead = peers.filter((_, at) => where[at] === where[0])
    await Promise.all(dead.map(peer => peer.closed))
    for (const [at, peer] of peers.entries()) {
      if (where[at] !== where[0]) t.match(await peer.send({ do: 'where' }), { threadId: where[at] as number })
    }
    const { slot } = await server.logged('worker.ready', line => line['threadId'] === where[0])
    await server.logged('worker.ready', line => !where.includes(line['threadId']) && line['slot'] === slot)
    const fresh = await Promise.all(Array.from({ length: 3 }, () => server.connect()))
    const places = await Promise.all(fresh.map(async peer => (await peer.send({ do: 'where' }))?.['threadId']))
    t.equal(new Set(places).size, 1, 'the new worker takes the new sessions')
    t.notOk(where.includes(places[0]))
    for (const peer of fresh) peer.socket.destroy()
    t.ok(await descriptorsAtMost(before), 'no descriptor has leaked')
  },
)

t.test('an exception of one session ends that session alone', async t => {
  const server = start(t)
  const [bad, good] = [await server.connect(), await server.connect()]
  await bad.open()
  await good.open({ isid: '00023d000002' })
  void bad.send({ do: 'throw' })
  t.match(await server.logged('session.ended'), { outcome: 'dropped' })
  t.match(await good.send({ do: 'where' }), { threadId: Number })
})
