// Anonymous disks that are kept after a fault of ours, to their end: whatever happens meanwhile, their files are gone when their time is over, or when their initiator has come back and
// has logged out.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { Initiator } from '@scsipub/testkit'
import t from 'tap'
import { BLANK, content, portal, until } from '../protocol/lab.js'
import { metricsOf } from '../protocol/operator.js'
import { beginWrite } from './half-write.js'
import { POISON } from './worker-fault.js'
import { type WorkerLab, withWorkerLab } from './worker-lab.js'

/** Not long, where the end of that time is waited for. */
const SHORT_MS = 3_000
/** Enough for an initiator to come back, on a machine that is slow; its end is waited for, too. */
const ENOUGH_MS = 20_000
/** Longer than any test. */
const LONG_MS = 600_000
const isid = (number: number) => Buffer.from([0x80, 0, 0, 0, 0, number])
const login = (server: WorkerLab, number: number) =>
  Initiator.login(portal(server), { target: BLANK, isid: isid(number) })

/** Disks that have files. */
const disks = ({ dataDir }: WorkerLab) => readdirSync(join(dataDir, 'ephemeral')).length
const untilDisks = (server: WorkerLab, wanted: number) =>
  until(`${wanted} disks have files`, () => disks(server) === wanted, { show: () => `there are ${disks(server)}` })

/** A session with something on its disk, whose actor throws; the disk is kept. */
async function faultOf(server: WorkerLab, number: number): Promise<void> {
  const initiator = await login(server, number)
  await initiator.write(0, content(4096, number))
  const kept = server.count('disk.kept')
  void initiator.ping(POISON.throws).catch(() => {})
  await initiator.wire.closed
  await until('it is kept', () => server.count('disk.kept') > kept)
}

await withWorkerLab(t, { limits: { keptMs: SHORT_MS } }, async server => {
  await t.test('nobody comes: the disk is destroyed, and not before; the fault is counted', async t => {
    const before = Date.now()
    await faultOf(server, 1)
    await untilDisks(server, 0)
    const dropped = server.log.find(({ event }) => event === 'disk.dropped')
    const took = Date.parse(String(dropped?.['time'])) - before
    t.ok(took > SHORT_MS - 500, `after ${took} ms`)
    t.match(dropped?.['why'], 'nobody came for it')
    t.equal((await metricsOf(server)).get('scsipub_session_failures_total'), 1)
    const late = await login(server, 1)
    t.ok((await late.read(0, 8)).equals(Buffer.alloc(4096)), 'who comes later has a blank disk')
    await late.logout()
    await late.close()
  })

  await t.test('the storage engine ends meanwhile: the disk is destroyed at its time all the same', async () => {
    await server.untilSessions(0)
    await faultOf(server, 2)
    await server.restartEngine()
    await untilDisks(server, 0)
  })

  await t.test('the storage engine ends at that very time', async () => {
    await faultOf(server, 3)
    await setTimeout(SHORT_MS - 100)
    for (let end = 0; end < 4; end++) {
      await server.restartEngine()
      await setTimeout(30)
    }
    await untilDisks(server, 0)
  })
})

await withWorkerLab(t, { limits: { keptMs: LONG_MS } }, async server => {
  await t.test('its initiator comes back and logs out', async t => {
    await faultOf(server, 4)
    t.equal(disks(server), 1)
    const again = await login(server, 4)
    t.ok((await again.read(0, 8)).equals(content(4096, 4)))
    await again.logout()
    await again.close()
    await untilDisks(server, 0)
  })

  await t.test('its initiator comes back, and goes away without a logout', async () => {
    await faultOf(server, 5)
    const again = await login(server, 5)
    await again.close('reset')
    await untilDisks(server, 0)
  })
})

await withWorkerLab(t, { limits: { keptMs: ENOUGH_MS } }, async server => {
  await t.test('its initiator comes back, and the worker dies: it is kept again, and destroyed', async t => {
    await faultOf(server, 6)
    const again = await login(server, 6)
    await beginWrite(again)
    await server.untilTold()
    const kept = server.count('disk.kept')
    const worker = server.workers.threadIds.find(id => server.workers.sessionsOn(id).length > 0)!
    await server.cause(worker, 'terminated')
    await server.untilBuried(worker)
    await again.wire.closed
    await until('it is kept again', () => server.count('disk.kept') > kept)
    await untilDisks(server, 0)
    t.ok(Number((await metricsOf(server)).get('scsipub_worker_died_total')) >= 1)
  })
})
