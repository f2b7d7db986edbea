// Restarts that nobody asks for: by the clock, and for the memory of one worker. Sessions go on, and notice nothing.

import { setTimeout } from 'node:timers/promises'
import { Initiator } from '@scsipub/testkit'
import t from 'tap'
import { iqn } from '../harness/server.js'
import { content, portal, until } from '../protocol/lab.js'
import { metricsOf } from '../protocol/operator.js'
import { type WorkerLab, withWorkerLab } from './worker-lab.js'

const target = iqn('shared')
const HOUR_MS = 3_600_000

/** Sessions, one in each worker, with something on the disk; `use` has them, and they are as before afterwards. */
async function withSessionsEverywhere(server: WorkerLab, use: () => Promise<void>): Promise<void> {
  const initiators = []
  for (const lba of [0, 8]) {
    const initiator = await Initiator.login(portal(server), { target })
    await initiator.write(lba, content(4096, lba))
    initiators.push({ initiator, lba })
  }
  await use()
  for (const { initiator, lba } of initiators) {
    if (!(await initiator.read(lba, 8)).equals(content(4096, lba))) throw new Error(`block ${lba} has changed`)
    await initiator.close()
  }
}

await t.test('restarts.at: all workers at that time, once', async t => {
  const time = { ms: new Date('2030-03-10T04:29:59').getTime() }
  const clock = () => time.ms
  await withWorkerLab(t, { limits: { clock }, env: { SCSIPUB_RESTARTS_AT: '04:30' } }, async server => {
    await withSessionsEverywhere(server, async () => {
      const before = server.workers.threadIds
      t.equal(server.count('restart.began'), 0)
      time.ms += 2_000
      await until('the time has come', () => server.count('restart.done') === 1)
      t.notOk(
        server.workers.threadIds.some(id => before.includes(id)),
        'all threads are new',
      )
      t.match(
        server.log.find(({ event }) => event === 'restart.done'),
        { workers: [0, 1], reason: 'schedule', moved: 2, dropped: 0 },
      )
      t.equal((await metricsOf(server)).get('scsipub_worker_restarts_total'), 2)
      await setTimeout(1_000)
      t.equal(server.count('restart.began'), 1)
    })
    t.equal(server.count('worker.died'), 0)
  })
})

await t.test('restarts.everyHours: all workers, that long after the start', async t => {
  const start = new Date('2030-03-10T00:00:00').getTime()
  const time = { ms: start + HOUR_MS - 1_000 }
  // The server reads the clock first when it begins to count.
  let reads = 0
  const clock = () => (reads++ === 0 ? start : time.ms)
  await withWorkerLab(t, { limits: { clock }, env: { SCSIPUB_RESTARTS_EVERYHOURS: '1' } }, async server => {
    await withSessionsEverywhere(server, async () => {
      t.equal(server.count('restart.began'), 0)
      time.ms += 2_000
      await until('the hour is over', () => server.count('restart.done') === 1)
      t.match(
        server.log.find(({ event }) => event === 'restart.done'),
        { workers: [0, 1], reason: 'schedule', moved: 2, dropped: 0 },
      )
    })
  })
})

await t.test('restarts.memoryBytes: the worker that has grown, and no other', async t => {
  const env = { SCSIPUB_RESTARTS_MEMORYBYTES: String(160 << 20) }
  await withWorkerLab(t, { env }, async server => {
    await withSessionsEverywhere(server, async () => {
      const [grown = 0, steady = 0] = server.workers.threadIds
      await server.cause(grown, 'grows')
      await until('it is restarted', () => server.count('restart.done') === 1)
      const after = server.workers.threadIds
      t.notOk(after.includes(grown))
      t.ok(after.includes(steady))
      const line = server.log.find(({ event }) => event === 'worker.memory')
      t.ok(Number(line?.['bytes']) > 200 << 20)
      t.match(
        server.log.filter(({ event }) => event === 'worker.restarted'),
        [{ worker: line?.['worker'], reason: 'memory', moved: 1, dropped: 0 }],
      )
    })
    t.equal(server.count('worker.died'), 0)
  })
})
