// Session workers that die under their sessions, in every way in which a thread ends. Sessions at rest go on, on the same TCP connection; the others find their disk at the
// next login; nothing that was answered is lost. [DESIGN §4]

import { cdb, Initiator, persistentReserveOut, prOut } from '@scsipub/testkit'
import t, { type Test } from 'tap'
import { iqn } from '../harness/server.js'
import { cdbOf, content, portal, until, withSessions } from '../protocol/lab.js'
import { metricsOf } from '../protocol/operator.js'
import { BusyLane } from './busy-lane.js'
import { openFiles, type WorkerLab, withWorkerLab } from './worker-lab.js'

const IDLE = 12
const BUSY = 6
const SHARED = iqn('shared')
const RESERVED = iqn('reserved')
const LOGICAL_UNIT_RESET = 5
const RESERVE = cdbOf('16')

await withWorkerLab(t, {}, async server => {
  // Both workers have opened by then what they keep open.
  await withSessions(server, { target: SHARED, count: 2 }, async (...initiators) => {
    for (const initiator of initiators) await initiator.write(0, content(4096, 1))
  })
  for (const fault of ['terminated', 'throws', 'heap', 'spins'] as const)
    await t.test(`20 sessions, and a worker that ends like this: ${fault}`, t => surviveDeath(t, server, fault))

  await t.test('a session that has come from another worker just before, and has said nothing since', async t => {
    await server.untilSessions(0)
    const one = await Initiator.login(portal(server), { target: SHARED, keys: { MaxConnections: '2' } })
    const two = await one.addConnection(portal(server), { cid: 1 })
    await one.write(0, content(4096, 1))
    const { workers } = server
    const from = workers.threadIds.find(id => workers.sessionsOn(id).length > 0)!
    const to = workers.threadIds.find(id => id !== from)!
    t.match(await workers.move(workers.sessionsOn(from)[0]!, to), { outcome: 'moved' })
    await server.untilTold()
    await server.cause(to, 'terminated')
    await server.untilBuried(to)
    for (const connection of [one, two]) t.ok((await connection.read(0, 8)).equals(content(4096, 1)))
    for (const connection of [one, two]) await connection.close()
  })
})

async function surviveDeath(t: Test, server: WorkerLab, fault: Parameters<WorkerLab['cause']>[1]): Promise<void> {
  await server.untilSessions(0)
  const before = openFiles().length
  const address = portal(server)
  const login = (target: string) => Initiator.login(address, { target })
  // One after the other, they go to the two workers in turn.
  const holder = await login(RESERVED)
  const other = await login(RESERVED)
  const idle: Initiator[] = []
  for (let count = 0; count < IDLE; count++) idle.push(await login(SHARED))
  for (const one of [...idle, holder, other]) for (const lun of [0, 1]) await clear(one, lun)
  for (const [index, one] of idle.entries()) await one.write(8 * index, content(4096, index + 1))
  await persistentReserveOut(holder, prOut.registerAndIgnoreExistingKey, { serviceActionKey: 7 })
  await persistentReserveOut(holder, prOut.reserve, { key: 7, type: 3 })
  t.equal((await holder.execute(RESERVE, 1)).status, 0)
  // It leaves a unit attention with every session of the unit; where the worker stands still before it dies, that has not been done there by then.
  const reset = () => idle[1]!.manageTask(LOGICAL_UNIT_RESET, { lun: 1 })
  if (fault !== 'spins') await reset()
  const lanes = Array.from(
    { length: BUSY },
    (_, lane) =>
      new BusyLane(address, { target: SHARED, lane, lba: 4096 + 2048 * lane, blocks: [8, 64, 600][lane % 3]! }),
  )
  await until('all lanes write', () => lanes.every(({ writes }) => writes > 2))
  await server.untilTold()

  const [victim = 0] = server.workers.threadIds
  const there = server.workers.sessionsOn(victim).length
  t.ok(there >= 8, `${there} sessions are in the worker`)
  const adopted = recovered(server)
  const died = (await metricsOf(server)).get('scsipub_worker_died_total') ?? 0
  await server.cause(victim, fault)
  // It stands still by now.
  if (fault === 'spins') t.equal(await reset(), 0)
  await server.untilBuried(victim)
  await until('the sessions have gone on', () => recovered(server) > adopted)
  const writes = lanes.map(lane => lane.writes)
  await until('all lanes go on', () => lanes.every((lane, index) => lane.writes > writes[index]! + 2))

  for (const [index, one] of idle.entries()) {
    t.same((await one.ping(Buffer.from('still there'))).data, Buffer.from('still there'))
    t.equal((await one.execute(cdb.testUnitReady(), 1)).sense, '6/29/03', 'the unit attention is there')
    t.equal((await one.execute(cdb.testUnitReady(), 1)).status, 0, 'and only once')
    t.ok((await one.read(8 * index, 8)).equals(content(4096, index + 1)))
    await one.write(8 * index, content(4096, index + 101))
    t.ok((await one.read(8 * index, 8)).equals(content(4096, index + 101)))
  }
  await holder.write(0, content(512, 5))
  t.equal((await other.executeWrite(cdb.write10(0, 1), content(512, 6))).status, 0x18, 'RESERVATION CONFLICT')
  t.equal((await other.execute(cdb.testUnitReady(), 1)).status, 0x18, 'the other unit is held by RESERVE as before')
  t.equal((await holder.execute(cdb.testUnitReady(), 1)).status, 0)
  t.equal((await persistentReserveOut(holder, prOut.clear, { key: 7 })).status, 0)
  await Promise.all(lanes.map(lane => lane.end()))
  const metrics = await metricsOf(server)
  t.equal(metrics.get('scsipub_worker_died_total'), died + 1)
  t.equal(metrics.get('scsipub_worker_up'), server.workers.threadIds.length, 'all workers are up again')
  for (const one of [...idle, holder, other]) await one.close()
  await until('nothing is left open', () => openFiles().length <= before, {
    show: () => `${before} before: ${openFiles().join(' ')}`,
  })
  t.comment(
    `${recovered(server) - adopted} of ${there} went on; ${lanes.reduce((sum, { breaks }) => sum + breaks, 0)} connections ended`,
  )
}

/** Sessions that have gone on after their worker's death. */
function recovered(server: WorkerLab): number {
  return server.log
    .filter(({ event }) => event === 'sessions.recovered')
    .reduce((sum, line) => sum + Number(line['sessions']), 0)
}

/** Takes what a session has pending from its login. */
async function clear(initiator: Initiator, lun: number): Promise<void> {
  for (let turn = 0; turn < 3; turn++) if ((await initiator.execute(cdb.testUnitReady(), lun)).status === 0) return
}
