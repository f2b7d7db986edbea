/** Several connections of one session, as the supervisor deals with them. Real threads, sockets and storage engine. */
import { readdirSync } from 'node:fs'
import t from 'tap'
import { descriptorsAtMost, granted, refusal, start } from './fixtures/steps.js'

t.test('a connection that is handed back goes on in the worker of the session that it names [7143 §6.3.1]', async t => {
  const server = start(t)
  const live = await server.connect()
  const { tsih } = granted(await live.open())
  const home = (await live.send({ do: 'where' }))?.['threadId']
  const first = await server.connect()
  t.match(await first.send({ do: 'handBack', tsih }), { threadId: home })
  const before = readdirSync('/proc/self/fd').length
  const peers = await Promise.all(Array.from({ length: 4 }, () => server.connect()))
  for (const peer of peers) {
    t.match(await peer.send({ do: 'handBack', tsih }), { threadId: home, received: 'handed back' })
    t.match(await peer.send({ do: 'where' }), { threadId: home })
  }
  t.match(await first.send({ do: 'handBack', tsih: 4711 }), undefined, 'once only')
  for (const peer of peers) peer.socket.destroy()
  t.ok(await descriptorsAtMost(before), 'no descriptor has leaked')
})

t.test('a connection that names no live session goes on somewhere', async t => {
  const server = start(t)
  const peer = await server.connect()
  t.match(await peer.send({ do: 'handBack', tsih: 4711 }), { received: 'handed back' })
})

t.test('each connection of a session counts against the caps, until it ends', async t => {
  const env = { SCSIPUB_FREE_CAPLOOPBACK: 'true', SCSIPUB_FREE_MAXSESSIONSPERADDRESS: '2' }
  const server = start(t, { env })
  const [first, second, third] = await Promise.all([1, 2, 3].map(() => server.connect()))
  const { tsih } = granted(await first!.open())
  t.same(await second!.open({ tsih, cid: 1 }), { joins: tsih })
  t.equal(refusal(await third!.open({ tsih, cid: 2 })), 0x0301)
  t.same(await third!.open({ tsih, cid: 1 }), { joins: tsih }, 'in the place of another one')
  second!.socket.destroy()
  await server.logged('connection.ended')
  const fourth = await server.connect()
  t.equal(refusal(await fourth.open({ isid: '00023d000002' })), 0x0301, 'the place was taken over')
  third!.socket.destroy()
  await server.logged('connection.ended', line => line['remote'] === `127.0.0.1:${third!.localPort}`)
  granted(await fourth.open({ isid: '00023d000002' }))
})

t.test('when a worker dies, its sessions end with all of their connections, and nothing is left', async t => {
  const server = start(t)
  const first = await server.connect()
  const { tsih, luns } = granted(await first.open())
  const others = await Promise.all([1, 2, 3].map(() => server.connect()))
  for (const [at, peer] of others.entries()) {
    await peer.send({ do: 'handBack', tsih })
    t.same(await peer.open({ tsih, cid: at + 1 }), { joins: tsih })
  }
  const volume = luns[0]?.volume.spec.volumeId
  t.ok(volume)
  void others[2]?.send({ do: 'crash' })
  await Promise.all([first, ...others].map(peer => peer.closed))
  await server.logged('session.ended', line => line['tsih'] === tsih)
  t.equal(server.log.filter(line => line.event === 'connection.ended').length, 3, 'and the last one ends the session')
  t.equal(server.log.filter(line => line.event === 'session.ended' && line['tsih'] === tsih).length, 1)
  const next = await server.connect()
  t.equal(granted(await next.open()).nexusLost, false, 'the nexus is free again')
})
