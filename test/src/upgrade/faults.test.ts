// Faults of ours before, between and after upgrades: what they have left behind goes along, and who was at rest is still known well enough to outlive its worker.

import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { status } from '@scsipub/scsi'
import { cdb, Initiator, LoginRefused } from '@scsipub/testkit'
import t from 'tap'
import { type UpgradableServer, withUpgradableServer } from '../harness/upgradable-server.js'
import { BLANK, content, portal, until } from '../protocol/lab.js'
import { beginWrite } from '../restarts/half-write.js'
import { ORDERS_VARIABLE, type Order, socketOf } from '../restarts/random/fault-order.js'
import { upgraded } from './lab.js'

const FAULTS = new URL('../restarts/random/fault-threads.js', import.meta.url)
/** Kept is what is kept, refused who is refused, and faults count together for longer than the test takes. */
const LONG_MS = 600_000
const limits = { keptMs: LONG_MS, poison: { times: 2, withinMs: LONG_MS, refusedMs: LONG_MS } }
/** One session worker, and the storage engine. */
const THREADS = 2

const isid = (number: number) => Buffer.from([0x80, 0, 0, 0, 0, number])
const login = (server: UpgradableServer, number: number) =>
  Initiator.login(portal(server), { target: BLANK, isid: isid(number) })

async function carryOut(folder: string, server: UpgradableServer, order: Order): Promise<void> {
  const socket = connect(socketOf(folder, server.pid()))
  socket.write(JSON.stringify(order))
  for await (const _ of socket);
}

/** Has a session worker of the process that serves end. */
async function endWorker(folder: string, server: UpgradableServer): Promise<void> {
  const count = (event: string) => server.log.filter(line => line.event === event).length
  const before = count('sessions.recovered')
  await carryOut(folder, server, { kind: 'end', role: 'session-worker', index: 0, fault: 'throw' })
  await until('what could be recovered was', () => count('sessions.recovered') > before)
}

await t.test('disks that are kept, poison, and sessions at rest, over upgrades and deaths of workers', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'orders-')) // the name of a socket is short
  t.teardown(() => rmSync(folder, { recursive: true }))
  const options = {
    config: { workers: 1 },
    limits,
    execArgv: ['--import', FAULTS.href],
    env: { [ORDERS_VARIABLE]: folder },
    mayFail: true,
  }
  await withUpgradableServer(t, options, async server => {
    const quiet = await login(server, 1)
    await quiet.write(0, content(4096, 1))
    /** A session in the middle of a write when its worker ends. */
    const cutOff = async (round: number) => {
      const disk = await login(server, 2)
      t.same(await disk.read(0, 8), round === 1 ? Buffer.alloc(4096) : content(4096, round - 1), 'its disk was kept')
      await disk.write(0, content(4096, round))
      await beginWrite(disk)
      await carryOut(folder, server, { kind: 'tell', threads: THREADS })
      await endWorker(folder, server)
      await disk.wire.closed
      t.same(await quiet.read(0, 8), content(4096, 1), 'one at rest goes on')
    }
    const poisoned = () => server.log.some(({ event }) => event === 'session.poison')
    await cutOff(1)
    await cutOff(2)
    await upgraded(t, server, { moved: 1 })
    t.notOk(poisoned())
    await cutOff(3)
    t.ok(poisoned(), 'the third fault within the time that counts, of which two were in the process before')
    await upgraded(t, server, { moved: 1 })
    const refused = await login(server, 2).catch((error: unknown) => error)
    t.match(refused instanceof LoginRefused && refused.status, 0x0301, 'refused there, too')
    t.equal((await quiet.execute(cdb.testUnitReady())).status, status.good, 'and nobody has been told anything')
    await (await login(server, 3)).logout()
    await quiet.logout()
  })
})
