/** Where a session goes when the worker that it should go to dies or refuses, and what the one where it was does: with workers that do what they are told. */
import { once } from 'node:events'
import { readdirSync, readlinkSync } from 'node:fs'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { Peer } from '../fixtures/harness.js'
import { withServer } from '../fixtures/lone-server.js'
import { granted } from '../fixtures/steps.js'
import { until } from '../fixtures/until.js'
import type { Server } from '../server.js'

async function peers(
  t: Test,
  server: Server,
  count: number,
): Promise<{ peer: Peer; thread: number; session: number }[]> {
  const [host = '', port = ''] = server.address.split(':')
  const all = []
  for (let index = 0; index < count; index++) {
    const socket = connect({ host, port: Number(port) })
    await once(socket, 'connect')
    t.teardown(() => socket.destroy())
    const peer = new Peer(socket)
    const { threadId, connectionId } = (await peer.send({ do: 'where' }))!
    all.push({ peer, thread: Number(threadId), session: Number(connectionId) })
  }
  return all
}

const sockets = () =>
  readdirSync('/proc/self/fd').filter(fd => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:')
    } catch {
      return false
    }
  }).length

const threadOf = async (peer: Peer) => (await peer.send({ do: 'where' }))?.threadId

t.test('a session goes where it should', async t => {
  await withServer(t, 2, async server => {
    const [one, other] = (await peers(t, server, 2)) as [Known, Known]
    t.match(await server.workers.move(one.session, other.thread), { outcome: 'moved' })
    t.equal(await threadOf(one.peer), other.thread)
    t.same(server.workers.sessionsOn(one.thread), [])
    await t.rejects(server.workers.move(999, other.thread), /no session 999/)
    await t.rejects(server.workers.move(one.session, 999), /no session worker 999/)
  })
})
type Known = Awaited<ReturnType<typeof peers>>[number]

t.test(
  'the worker that it should go to dies while it adopts: it goes to another one, and no descriptor stays',
  async t => {
    await withServer(t, 3, async (server, log) => {
      const [one, fragile, third] = (await peers(t, server, 3)) as [Known, Known, Known]
      const before = sockets()
      await fragile.peer.send({ do: 'fragile' })
      t.match(await server.workers.move(one.session, fragile.thread), { outcome: 'moved' })
      t.equal(await threadOf(one.peer), third.thread)
      await fragile.peer.closed
      await until(
        'no descriptor is left but for the session that was there: its two, and the one of its peer',
        () => sockets() === before - 3,
      )
      t.ok(log.some(({ event }) => event === 'session.adopt.failed'))
    })
  },
)

t.test('no other worker takes it: it stays where it was', async t => {
  await withServer(t, 2, async server => {
    const [one, other] = (await peers(t, server, 2)) as [Known, Known]
    await other.peer.send({ do: 'unwilling' })
    t.match(await server.workers.move(one.session, other.thread), { outcome: 'moved' })
    t.equal(await threadOf(one.peer), one.thread)
  })
})

t.test(
  'a session that is busy stays, and one whose worker is replaced all the same is closed at the deadline',
  async t => {
    await withServer(
      t,
      2,
      async server => {
        const [one, other] = (await peers(t, server, 2)) as [Known, Known]
        await one.peer.send({ do: 'busy' })
        t.match(await server.workers.move(one.session, other.thread), { outcome: 'busy', why: 'told to be' })
        t.equal(await threadOf(one.peer), one.thread)
        const replacement = await server.workers.replaceThread(one.thread)
        t.match(replacement, { moved: 0, dropped: 1 })
        await one.peer.closed
        t.equal(await threadOf(other.peer), other.thread)
        t.notOk(server.workers.threadIds.includes(one.thread))
      },
      1_000,
    )
  },
)

t.test('the worker where it is dies when it should let go: it is lost, and nothing waits for ever', async t => {
  await withServer(t, 2, async server => {
    const [one, other] = (await peers(t, server, 2)) as [Known, Known]
    await one.peer.send({ do: 'doomed' })
    t.match(await server.workers.move(one.session, other.thread), {
      outcome: 'dropped',
      why: 'the session worker died',
    })
    await one.peer.closed
    await t.rejects(server.workers.move(one.session, other.thread), /no session/)
  })
})

t.test(
  'the only worker is replaced: who comes before the next one is up is let in, and moves with the others',
  async t => {
    await withServer(t, 1, async server => {
      const [thread] = server.workers.threadIds
      const replacing = server.workers.replaceThread(thread!)
      const [early] = (await peers(t, server, 1)) as [Known]
      t.equal(early.thread, thread, 'there is no other one yet')
      t.match(await replacing, { moved: 1, dropped: 0 })
      t.same([await threadOf(early.peer)], server.workers.threadIds)
    })
  },
)

t.test(
  'the worker where it was dies before it says what it has heard: the session ends, and its disk is kept',
  async t => {
    await withServer(t, 2, async (server, log) => {
      const [one, other] = (await peers(t, server, 2)) as [Known, Known]
      granted(await one.peer.open())
      await one.peer.send({ do: 'forgetful' })
      t.match(await server.workers.move(one.session, other.thread), { outcome: 'dropped' })
      await one.peer.closed
      await until('its disk is kept', () => log.some(({ event }) => event === 'disk.kept'))
    })
  },
)

t.test('nothing is replaced when the server is about to stop', async t => {
  await withServer(t, 1, async server => {
    server.stopAccepting()
    await t.rejects(server.workers.replaceThread(server.workers.threadIds[0]!), /about to stop/)
  })
})
