// Sessions that cannot go along in an upgrade, since they have too much under way: they are asked to log in again by Async Message 1 [7143 §11.9.1], and find their disks, anonymous
// ones included. The others do not notice.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { AsyncEvent, asyncMessage } from '@scsipub/iscsi'
import { status } from '@scsipub/scsi'
import { cdb, Initiator } from '@scsipub/testkit'
import t from 'tap'
import { withUpgradableServer } from '../harness/upgradable-server.js'
import { BLANK, content, portal, until } from '../protocol/lab.js'
import { config, LAB, makeBusy, upgraded } from './lab.js'
import { verifiedLoad } from './load.js'

const isid = (number: number) => Buffer.from([0x80, 0, 0, 0, 0, number])
const LATE_MS = 60_000
/** Enough to log out, on a machine that is slow; and disks are kept for longer than the test takes. */
const LOGOUT_S = 10
const limits = { logoutMs: LOGOUT_S * 1000, keptMs: 600_000 }

await t.test('a session that copies is asked to log in again, and finds its disk; an idle one goes on', async t => {
  await withUpgradableServer(t, { config, limits }, async server => {
    const login = (target: string, number: number) => Initiator.login(portal(server), { target, isid: isid(number) })
    const [idle, polite, stubborn, shared] = await Promise.all([
      login(BLANK, 1),
      login(BLANK, 2),
      login(BLANK, 3),
      login(LAB, 4),
    ])
    const busy = [polite, stubborn, shared]
    for (const [index, disk] of [idle, ...busy].entries()) await disk.write(0, content(65_536, index))
    await Promise.all(busy.map(makeBusy))

    const asked = busy.map(disk => disk.take(asyncMessage, undefined, LATE_MS))
    const leaving = asked[0]!.then(() => polite.logout())
    const upgrade = upgraded(t, server, { moved: 1, asked: 3 })
    for (const message of await Promise.all(asked)) {
      t.match(message, { asyncEvent: AsyncEvent.logoutRequest, asyncVCode: 0 })
      t.equal(message.parameter3, LOGOUT_S, 'with the seconds that it may take')
    }
    t.equal((await leaving).response, 0, 'one logs out')
    await Promise.all(busy.map(({ wire }) => wire.closed))
    await upgrade
    t.same(await idle.read(0, 128), content(65_536, 0))
    t.equal((await idle.execute(cdb.testUnitReady())).status, status.good, 'who went along has not noticed')

    for (const [index, target] of [BLANK, BLANK, LAB].entries()) {
      const again = await login(target, index + 2)
      t.same(await again.read(0, 128), content(65_536, index + 1), 'all is there after another login')
      let rounds = 0
      const { longestMs } = await verifiedLoad(again, { stop: () => rounds++ > 40 })
      t.ok(longestMs > 0)
      await again.logout()
    }
    await idle.logout()
    const overlays = () => readdirSync(join(server.dataDir, 'data/ephemeral'))
    await until('no overlay is left', () => overlays().length === 0, { show: () => overlays().join(' ') })
  })
})

await t.test('a disk that is kept for its initiator is kept over the next upgrade too', async t => {
  await withUpgradableServer(t, { config, limits }, async server => {
    const one = await Initiator.login(portal(server), { target: BLANK, isid: isid(1) })
    await one.write(0, content(65_536, 1))
    await makeBusy(one)
    await upgraded(t, server, { moved: 0, asked: 1 })
    await one.wire.closed
    await upgraded(t, server, { moved: 0 })
    const other = await Initiator.login(portal(server), { target: BLANK, isid: isid(2) })
    t.same(await other.read(0, 128), Buffer.alloc(65_536), 'nobody else gets it')
    const again = await Initiator.login(portal(server), { target: BLANK, isid: isid(1) })
    t.same(await again.read(0, 128), content(65_536, 1))
    for (const disk of [other, again]) await disk.logout()
  })
})
