// Who is terminated, who is not, and what comes of a worker that dies again and again, or that cannot be started again.

import { Initiator } from '@scsipub/testkit'
import t from 'tap'
import { iqn } from '../harness/server.js'
import { content, portal, until } from '../protocol/lab.js'
import { CANNOT_START, POISON } from './worker-fault.js'
import { type WorkerLab, withWorkerLab } from './worker-lab.js'

const target = iqn('shared')
const REST_MS = 1_000
/** Six deaths come within that time on any machine. */
const RESTS = { limits: { restMs: REST_MS, deaths: { times: 5, withinMs: 600_000 } } }

/** Sessions, one at least in each worker, and the workers by them. */
async function inEachWorker(server: WorkerLab): Promise<{ initiators: Initiator[]; threads: number[] }> {
  await server.untilSessions(0)
  const initiators: Initiator[] = []
  const threads: number[] = []
  for (let count = 0; count < server.workers.threadIds.length; count++) {
    const before = server.workers.threadIds.map(id => server.workers.sessionsOn(id).length)
    initiators.push(await Initiator.login(portal(server), { target }))
    const after = server.workers.threadIds.map(id => server.workers.sessionsOn(id).length)
    threads.push(server.workers.threadIds[after.findIndex((sessions, index) => sessions > before[index]!)]!)
  }
  return { initiators, threads }
}

await withWorkerLab(t, {}, async server => {
  await t.test('a worker that waits in the kernel for longer than 5 s is left alone', async t => {
    const { initiators, threads } = await inEachWorker(server)
    await server.cause(threads[0]!, 'stops')
    await server.untilLogged('worker.stalled')
    server.release()
    t.same((await initiators[0]!.ping(Buffer.from('late'), true)).data, Buffer.from('late'))
    await until('it serves', () => server.workers.threadIds.includes(threads[0]!))
    t.equal(server.count('worker.died'), 0)
    for (const one of initiators) await one.close()
  })

  await t.test('a command over which its worker spins costs its own session, and no other', async t => {
    const { initiators, threads } = await inEachWorker(server)
    const neighbours = await Promise.all([1, 2].map(() => Initiator.login(portal(server), { target })))
    for (const [index, one] of neighbours.entries()) await one.write(8 * index, content(4096, index))
    await server.untilTold()
    void initiators[0]!.ping(POISON.spins).catch(() => {})
    await server.untilBuried(threads[0]!)
    await initiators[0]!.wire.closed
    for (const [index, one] of neighbours.entries()) {
      t.ok((await one.read(8 * index, 8)).equals(content(4096, index)))
      await one.logout()
    }
    t.match(
      server.log.filter(({ event }) => event === 'session.lost'),
      [{ why: /died while it did/ }],
    )
    t.match(
      server.log.filter(({ event }) => event === 'worker.died'),
      [{ threadId: threads[0], why: /spinning for \d+ ms/ }],
    )
    await initiators[1]!.close()
  })
})

await withWorkerLab(t, RESTS, async server => {
  await t.test(
    'a worker that dies for the sixth time within the time that counts is not started again at once',
    async t => {
      // The other one goes on serving throughout.
      const { initiators, threads } = await inEachWorker(server)
      const steady = threads[1]!
      for (let death = 1; death <= 6; death++) {
        await until('there is a worker', () => server.workers.threadIds.length === 2)
        await server.cause(server.workers.threadIds.find(id => id !== steady)!, 'terminated')
        await until('it is dead', () => server.count('worker.died') === death)
      }
      await server.untilLogged('worker.rests')
      t.same((await initiators[1]!.ping(Buffer.from('well'))).data, Buffer.from('well'))
      await until('it is back', () => server.workers.threadIds.length === 2)
      const [rests, ready] = ['worker.rests', 'worker.ready'].map(event =>
        server.log.findLast(line => line.event === event),
      )
      const restedMs = Date.parse(String(ready?.['time'])) - Date.parse(String(rests?.['time']))
      t.ok(restedMs > REST_MS - 100, `after ${restedMs} ms`)
      for (const one of initiators) await one.close()
    },
  )

  await t.test('a worker that cannot be started again is tried later, and the others serve', async t => {
    const { initiators } = await inEachWorker(server)
    const before = server.count('worker.rests')
    process.env[CANNOT_START] = 'yes'
    try {
      await server.cause(server.workers.threadIds[0]!, 'terminated')
      await until('it was tried, and again', () => server.count('worker.rests') >= before + 2)
      t.equal(server.workers.threadIds.length, 1)
    } finally {
      delete process.env[CANNOT_START]
    }
    await until('it is back', () => server.workers.threadIds.length === 2)
    const another = await Initiator.login(portal(server), { target })
    await another.logout()
    for (const one of initiators) await one.close()
  })
})
