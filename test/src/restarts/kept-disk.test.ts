// Faults of ours that end a session: an anonymous disk is kept for who had it, the server goes on, and who repeats what does it is refused for a while.

import { Initiator, LoginRefused } from '@scsipub/testkit'
import t from 'tap'
import { iqn } from '../harness/server.js'
import { BLANK, content, portal, until } from '../protocol/lab.js'
import { beginWrite } from './half-write.js'
import { POISON } from './worker-fault.js'
import { type WorkerLab, withWorkerLab } from './worker-lab.js'

/** What is kept is kept for as long as a test takes, and faults count together. */
const LONG_MS = 600_000
const limits = { keptMs: LONG_MS, poison: { times: 2, withinMs: LONG_MS, refusedMs: LONG_MS } }

const isid = (number: number) => Buffer.from([0x80, 0, 0, 0, 0, number])
const login = (server: WorkerLab, number: number) =>
  Initiator.login(portal(server), { target: BLANK, isid: isid(number) })

await withWorkerLab(t, { limits }, async server => {
  await t.test('an actor throws: its connection ends, its anonymous disk is there at the next login', async t => {
    const bystander = await login(server, 1)
    const initiator = await login(server, 2)
    await initiator.write(0, content(4096, 2))
    void initiator.ping(POISON.throws).catch(() => {})
    await initiator.wire.closed
    await server.untilLogged('disk.kept')
    const stranger = await login(server, 3)
    t.ok((await stranger.read(0, 8)).equals(Buffer.alloc(4096)), 'nobody else gets it')
    const again = await login(server, 2)
    t.ok((await again.read(0, 8)).equals(content(4096, 2)))
    t.same((await bystander.ping(Buffer.from('well'))).data, Buffer.from('well'))
    await again.logout()
    await again.close()
    await server.untilSessions(2)
    const third = await login(server, 2)
    t.ok((await third.read(0, 8)).equals(Buffer.alloc(4096)), 'after a logout it is gone as ever')
    for (const one of [bystander, stranger, third]) await one.close()
  })

  await t.test('a worker dies under a half written command: the anonymous disk is there at the next login', async t => {
    const initiators = await Promise.all([4, 5].map(number => login(server, number)))
    for (const initiator of initiators) {
      await initiator.write(0, content(4096, 4))
      await beginWrite(initiator)
    }
    await server.untilTold()
    for (const threadId of server.workers.threadIds) {
      await server.cause(threadId, 'terminated')
      await server.untilBuried(threadId)
    }
    await Promise.all(initiators.map(({ wire }) => wire.closed))
    for (const number of [4, 5]) {
      const again = await login(server, number)
      t.ok((await again.read(0, 8)).equals(content(4096, 4)))
      t.ok(
        (await again.read(256, 8)).equals(Buffer.alloc(4096)),
        'a write that was not answered, and not whole, has changed nothing',
      )
      await again.logout()
    }
  })

  await t.test('an actor throws: a disk that is not anonymous is as it was, for whoever logs in next', async t => {
    const shared = { target: iqn('shared') }
    const initiator = await Initiator.login(portal(server), { ...shared, isid: isid(6) })
    await initiator.write(0, content(4096, 6))
    void initiator.ping(POISON.throws).catch(() => {})
    await initiator.wire.closed
    const again = await Initiator.login(portal(server), { ...shared, isid: isid(6) })
    t.ok((await again.read(0, 8)).equals(content(4096, 6)))
    await again.logout()
    await again.close()
  })

  await t.test('a session whose actor throws for the third time is refused, and it alone', async t => {
    for (let time = 0; time < 3; time++) {
      const initiator = await login(server, 7)
      void initiator.ping(POISON.throws).catch(() => {})
      await initiator.wire.closed
      await until('it has ended', () => server.count('session.failed') >= 3 + time)
    }
    await server.untilLogged('session.poison')
    const refused = await login(server, 7).catch((error: unknown) => error)
    t.ok(refused instanceof LoginRefused)
    t.equal((refused as LoginRefused).status, 0x0301)
    const other = await login(server, 8)
    await other.logout()
  })
})
