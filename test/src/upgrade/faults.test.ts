// Faults of ours before, between and after upgrades: what they have left behind goes along, and who was at rest is still known well enough to outlive its worker.

import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { status } from '@scsipub/scsi'
import { cdb, Initiator, LoginRefused } from '@scsipub/testkit'
import t from 'tap'
import { type UpgradableServer, withUpgradableServer } from '../harness/upgradable-server.js'
import { BLANK, BLOCK, content, portal, until } from '../protocol/lab.js'
import { ORDERS_VARIABLE, type Order, socketOf } from '../restarts/random/fault-order.js'
import { upgraded } from './lab.js'

const FAULTS = new URL('../restarts/random/fault-threads.js', import.meta.url)
/** Longer than a worker takes to tell what it has to tell of a session after a change. */
const TOLD_MS = 500
const LATE = { deadlineMs: 60_000 }

const isid = (number: number) => Buffer.from([0x80, 0, 0, 0, 0, number])
const login = (server: UpgradableServer, number: number) =>
  Initiator.login(portal(server), { target: BLANK, isid: isid(number) })

/** Has a session worker of the process that serves end. */
async function endWorker(folder: string, server: UpgradableServer): Promise<void> {
  const count = (event: string) => server.log.filter(line => line.event === event).length
  const before = count('sessions.recovered')
  const socket = connect(socketOf(folder, server.pid()))
  const order: Order = { kind: 'end', role: 'session-worker', index: 0, fault: 'throw' }
  socket.write(JSON.stringify(order))
  for await (const _ of socket);
  await until('what could be recovered was', () => count('sessions.recovered') > before, LATE)
}

await t.test('disks that are kept, poison, and sessions at rest, over upgrades and deaths of workers', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'orders-')) // the name of a socket is short
  t.teardown(() => rmSync(folder, { recursive: true }))
  const options = {
    config: { workers: 1 },
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
      disk.sendCommand({ cdb: cdb.write10(256, 600), write: true, expectedDataTransferLength: 600 * BLOCK })
      await setTimeout(TOLD_MS)
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
    t.ok(poisoned(), 'the third fault within a minute, of which two were in the process before')
    await upgraded(t, server, { moved: 1 })
    const refused = await login(server, 2).catch((error: unknown) => error)
    t.match(refused instanceof LoginRefused && refused.status, 0x0301, 'refused there, too')
    t.equal((await quiet.execute(cdb.testUnitReady())).status, status.good, 'and nobody has been told anything')
    await (await login(server, 3)).logout()
    await quiet.logout()
  })
})
