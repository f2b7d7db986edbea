// The end of the server under verified writes, by whatever asks for it and whatever else is asked for at the time: who is logged in is asked to log out [7143 §11.9.1], nobody comes in
// (0301), exit code 0, and every write that was acknowledged is there after the next start.

import { connect } from 'node:net'
import { join } from 'node:path'
import { AsyncEvent, asyncMessage } from '@scsipub/iscsi'
import { Initiator, LoginRefused } from '@scsipub/testkit'
import t, { type Test } from 'tap'
import { runProgram } from '../harness/run-program.js'
import { ADMIN_TOKEN, type UpgradableServer, withUpgradableServer } from '../harness/upgradable-server.js'
import { BLANK, portal } from '../protocol/lab.js'
import { StampWriter } from '../protocol/stamp-writer.js'
import { ROOT } from '../repository.js'
import { config, LAB, untilGone } from './lab.js'

const BLOCKS = 4096
const HALF = BLOCKS / 2
const LATE_MS = 60_000
/** Enough for what is done while sessions may still log out, on a machine that is slow; the end of that time is waited for where one does not. */
const ENOUGH_MS = 30_000
/** Longer than any test. */
const LONG_MS = 600_000
const COMMAND = join(ROOT, 'node_modules/.bin/scsipub')

const scsipub = (server: UpgradableServer, word: string) =>
  runProgram(COMMAND, ['--server', server.api, '--admin-token', ADMIN_TOKEN, word])

/** Status of a login; undefined when nobody listens any more. */
async function loginNow(server: UpgradableServer): Promise<number | undefined> {
  try {
    await (await Initiator.login(portal(server), { target: BLANK })).close()
    return 0
  } catch (error) {
    return error instanceof LoginRefused ? error.status : undefined
  }
}

interface Stopping {
  readonly server: UpgradableServer
  /** Two sessions on one disk, which write all the time. */
  readonly writers: readonly [StampWriter, StampWriter]
  readonly disks: readonly [Initiator, Initiator]
}

/** Has `stop` stop a server in the midst of writes, which has `drainMs` for that; then another one starts, and what was written is looked at. */
async function stoppedInWrites(t: Test, stop: (stopping: Stopping) => Promise<void>, drainMs = LONG_MS): Promise<void> {
  await withUpgradableServer(t, { config, limits: { drainMs } }, async server => {
    const disks = await Promise.all([0, 1].map(() => Initiator.login(portal(server), { target: LAB })))
    const [one, two] = disks as [Initiator, Initiator]
    const writers = [new StampWriter(one, { blocks: BLOCKS }), new StampWriter(two, { blocks: HALF, first: BLOCKS })]
    for (const writer of writers) await writer.until(50)
    await stop({ server, disks: [one, two], writers: writers as [StampWriter, StampWriter] })
    await Promise.all(disks.map(({ wire }) => wire.closed))
    for (const writer of writers)
      t.match(await writer.failure(), /clos|end|reset/i, 'only the end of its connection stopped it')
    t.equal(await server.exit, 0)
    await untilGone(server.pid())
    t.match(server.log.at(-1), { event: 'server.stopped' })

    await withUpgradableServer(t, { config, folder: server.dataDir }, async after => {
      const again = await Initiator.login(portal(after), { target: LAB })
      for (const [index, { acknowledged, begun }] of writers.entries()) {
        const blocks = index === 0 ? BLOCKS : HALF
        const found = await again.read(index * BLOCKS, blocks)
        const isThere = [acknowledged, begun].some(n => found.equals(writers[index]!.expected(n)))
        t.ok(isThere, `all ${acknowledged} acknowledged writes are there`)
      }
      await again.logout()
    })
  })
}

async function askedToLogOut(t: Test, disk: Initiator): Promise<void> {
  t.match(await disk.take(asyncMessage, undefined, LATE_MS), { asyncEvent: AsyncEvent.logoutRequest, asyncVCode: 0 })
}

const signalled = (server: UpgradableServer, name: NodeJS.Signals) => process.kill(server.pid(), name)

await t.test('SIGTERM, and once more in the midst; one initiator logs out, the other one does not', async t => {
  const stop = async ({ server, disks, writers }: Stopping) => {
    signalled(server, 'SIGTERM')
    await Promise.all(disks.map(disk => askedToLogOut(t, disk)))
    t.equal(await loginNow(server), 0x0301)
    for (const writer of writers) await writer.until(writer.acknowledged + 50)
    signalled(server, 'SIGTERM')
    t.equal(await loginNow(server), 0x0301, 'it is being drained still')
    for (const writer of writers) await writer.until(writer.acknowledged + 50)
    await disks[0].logout()
  }
  await stoppedInWrites(t, stop, ENOUGH_MS)
})

await t.test('scsipub drain; an upgrade that is asked for meanwhile, by call and by signal, is refused', async t => {
  await stoppedInWrites(t, async ({ server, disks, writers }) => {
    const drained = await scsipub(server, 'drain')
    t.match(drained, { code: 0, stdout: /^the server stops: 2 sessions have 600 s/ })
    await Promise.all(disks.map(disk => askedToLogOut(t, disk)))
    signalled(server, 'SIGUSR2')
    t.match(await server.logged('upgrade.refused'), { code: 'stopping' })
    t.notMatch(await scsipub(server, 'upgrade'), { code: 0 })
    t.equal(await loginNow(server), 0x0301)
    for (const writer of writers) await writer.until(writer.acknowledged + 50)
    await Promise.all(disks.map(disk => disk.logout()))
  })
})

for (const event of ['upgrade.preparing', 'server.rests'])
  await t.test(`SIGTERM in an upgrade, at ${event}: whoever has the sessions ends them in order`, async t => {
    await stoppedInWrites(t, stoppingInUpgrade(t, event))
  })

await t.test('SIGTERM to the old process of an upgrade that is done: the new one is told', async t => {
  await stoppedInWrites(t, async stopping => {
    // A call that is never asked to its end keeps the old process for the seconds that a caller may take.
    const [host, port] = stopping.server.api.replace('http://', '').split(':')
    const slow = connect(Number(port), host)
    t.teardown(() => slow.destroy())
    slow.on('error', () => {}).write('GET /healthz HTTP/1.1\r\n')
    await stoppingInUpgrade(t, 'upgrade.done')(stopping)
  })
})

function stoppingInUpgrade(t: Test, event: string): (stopping: Stopping) => Promise<void> {
  return async ({ server, disks }) => {
    const old = server.pid()
    process.kill(old, 'SIGUSR2')
    await server.logged(event)
    process.kill(old, 'SIGTERM')
    await Promise.all(disks.map(disk => askedToLogOut(t, disk)))
    await Promise.all(disks.map(disk => disk.logout()))
    await server.logged('server.stopped')
  }
}
