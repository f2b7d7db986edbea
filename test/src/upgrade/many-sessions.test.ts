// Sessions by the hundred over an upgrade: all of them go on, and none logs in again. `npm run bench -- upgrade` does it with 1,000 and looks at the time.

import { Initiator } from '@scsipub/testkit'
import t from 'tap'
import { withUpgradableServer } from '../harness/upgradable-server.js'
import { BLANK, portal } from '../protocol/lab.js'
import { config, upgraded } from './lab.js'
import { verifiedLoad } from './load.js'

const IDLE = 190
const BUSY = 10
const LOGINS_AT_A_TIME = 16

await t.test(`${IDLE + BUSY} sessions, ${BUSY} of them at work: all survive two upgrades`, async t => {
  await withUpgradableServer(t, { config }, async server => {
    const disks: Initiator[] = []
    let begun = 0
    const login = async () => {
      while (begun++ < IDLE + BUSY) disks.push(await Initiator.login(portal(server), { target: BLANK }))
    }
    await Promise.all(Array.from({ length: LOGINS_AT_A_TIME }, login))
    let over = false
    const loads = disks.slice(0, BUSY).map(disk => verifiedLoad(disk, { depth: 1, rounds: 2, stop: () => over }))
    const pauses = [
      await upgraded(t, server, { moved: disks.length }),
      await upgraded(t, server, { moved: disks.length }),
    ]
    over = true
    const reports = await Promise.all(loads)
    for (const { rounds } of reports) t.ok(rounds > 1)
    const longestMs = Math.max(...reports.map(report => report.longestMs))
    t.comment(`pauses ${pauses.join(', ')} ms; longest answer ${Math.round(longestMs)} ms`)
    const echoes = await Promise.all(disks.map((disk, index) => disk.ping(Buffer.from(`session ${index}`))))
    t.same(
      echoes.filter(({ data }, index) => data.toString() !== `session ${index}`),
      [],
      'every one answers',
    )
    const count = (event: string) => server.log.filter(line => line.event === event).length
    t.equal(count('session.opened'), disks.length, 'nobody has logged in again')
    t.equal(count('session.ended'), 0)
    await Promise.all(disks.map(disk => disk.logout()))
  })
})
