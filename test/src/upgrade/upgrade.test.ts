// An upgrade in place of a real server: processes that follow each other, and sessions that do not notice.

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { status } from '@scsipub/scsi'
import {
  cdb,
  Initiator,
  LoginTalk,
  persistentReserveOut,
  prOut,
  readKeys,
  readReservation,
  transit,
  Wire,
} from '@scsipub/testkit'
import t, { type Test } from 'tap'
import { MAIN, withUpgradableServer } from '../harness/upgradable-server.js'
import { BLANK, BLOCK, content, portal, until } from '../protocol/lab.js'
import { CHAP, config, LAB, SECRET } from './lab.js'
import { LONGEST_STALL_MS, starvationOf, verifiedLoad } from './load.js'

const UPGRADES = 5
/** Of a load, at least: it goes on after upgrades. */
const ROUNDS = 11
const HEIR = join(MAIN, '../fixtures/heir.js')
/** Logins and calls. */
const AT_LEAST = 3
const EXCLUSIVE_ACCESS = 3
/** The first request of a login. */
const HALF = {
  InitiatorName: 'iqn.2001-04.com.example:half',
  TargetName: LAB,
  SessionType: 'Normal',
  AuthMethod: 'None',
}

await t.test(`${UPGRADES} upgrades under verified load, and no session notices`, async t => {
  await withUpgradableServer(t, { config }, async server => {
    const at = portal(server)
    let over = false
    const stop = () => over
    const one = await Initiator.login(at, { target: LAB })
    const two = await Initiator.login(at, { target: LAB, keys: { HeaderDigest: 'CRC32C', DataDigest: 'CRC32C' } })
    const anonymous = await Initiator.login(at, { target: BLANK })
    const proved = await Initiator.login(at, { target: SECRET, chap: CHAP })
    const several = await Initiator.login(at, { target: BLANK, keys: { MaxConnections: '2' } })
    const second = await several.addConnection(at, { cid: 1 })
    const fenced = await Initiator.login(at, { target: SECRET, chap: CHAP })
    await fenced.execute(cdb.testUnitReady())
    t.equal((await persistentReserveOut(fenced, prOut.register, { serviceActionKey: 7 })).status, status.good)
    t.equal((await persistentReserveOut(fenced, prOut.reserve, { key: 7, type: EXCLUSIVE_ACCESS })).status, status.good)

    const starvation = starvationOf(server)
    const loads = [
      verifiedLoad(one, { rounds: ROUNDS, starvation, stop }),
      verifiedLoad(two, { first: 65_536, rounds: ROUNDS, starvation, stop }),
      verifiedLoad(anonymous, { rounds: ROUNDS, starvation, stop }),
      verifiedLoad(several, { rounds: ROUNDS, starvation, stop }),
    ]
    const pids = [server.pid()]
    const pauses: number[] = []
    for (let round = 0; round < UPGRADES; round++) {
      const { status: code, body } = await server.upgrade()
      t.match({ code, body }, { code: 200, body: { asked_to_log_in_again: 0, moved: 6 } })
      pids.push((body['to'] as { pid: number }).pid)
      pauses.push(Number(body['pause_ms']))
      await setTimeout(200)
      t.equal((await second.ping(Buffer.from('still there'))).data.toString(), 'still there')
    }
    t.equal(new Set(pids).size, UPGRADES + 1, 'each time another process')
    await until('the old processes have ended', () => !pids.slice(0, -1).some(pid => existsSync(`/proc/${pid}/fd/0`)))
    over = true
    const reports = await Promise.all(loads)
    const longestMs = Math.max(...reports.map(report => report.longestMs))
    t.comment(
      `pauses ${pauses.join(', ')} ms; longest answer ${Math.round(longestMs)} ms; rounds ${reports.map(r => r.rounds)}`,
    )
    t.ok(longestMs < LONGEST_STALL_MS, `the longest answer took ${longestMs} ms`)
    for (const { rounds } of reports) t.ok(rounds >= ROUNDS)

    t.equal((await proved.execute(cdb.testUnitReady())).status, status.good, 'no unit attention came of it')
    t.equal((await proved.executeRead(cdb.read16(0, 1), BLOCK)).status, status.reservationConflict, 'reservations hold')
    t.same((await readKeys(fenced)).keys, [7n])
    t.match(await readReservation(fenced), { key: 7n, type: EXCLUSIVE_ACCESS })
    for (const session of [one, two, anonymous, proved, several, fenced]) await session.logout()
    await server.logged('session.ended')
  })
})

await t.test('logins and HTTP calls that come during an upgrade are answered, not refused', async t => {
  await withUpgradableServer(t, { config }, async server => {
    let over = false
    let logins = 0
    let calls = 0
    const login = async () => {
      while (!over || logins < AT_LEAST) {
        const session = await Initiator.login(portal(server), { target: BLANK })
        await session.write(0, content(BLOCK, logins))
        await session.logout()
        await session.close()
        logins++
      }
    }
    const call = async () => {
      while (!over || calls < AT_LEAST) {
        const response = await fetch(`${server.api}/healthz`, { headers: { connection: 'close' } })
        if (response.status !== 200) throw new Error(`a call was answered with ${response.status}`)
        calls++
      }
    }
    const busy = [login(), login(), call()]
    t.equal((await server.upgrade()).status, 200)
    const halves: { talk: LoginTalk; begun: number }[] = []
    let upgraded = false
    const begin = async () => {
      while (!upgraded) {
        const talk = new LoginTalk(await Wire.connect(portal(server)), { cid: 0 })
        if ((await talk.ask(transit(0, 1), HALF)).status === 0) halves.push({ talk, begun: Date.now() })
        await setTimeout(100)
      }
    }
    const beginning = begin()
    await until('a login is begun', () => halves.length > 0)
    const restsBefore = server.log.length
    t.equal((await server.upgrade()).status, 200)
    upgraded = true
    const rests = server.log.slice(restsBefore).find(({ event }) => event === 'server.rests')
    const half = halves.findLast(({ begun }) => begun < Date.parse(String(rests?.time)))
    t.equal(
      (await half?.talk.ask(transit(1, 3), {}))?.status,
      0,
      'a login that was begun in one process ends in the next',
    )
    over = true
    await Promise.all([...busy, beginning])
    await Promise.all(halves.map(({ talk }) => talk.wire.end('reset')))
    t.ok(logins >= AT_LEAST && calls >= AT_LEAST, `${logins} logins, ${calls} calls`)
  })
})

/** A script that is the server; what it is can be changed while it runs. */
function scriptOf(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'scsipub-script-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const script = join(folder, 'server.mjs')
  writeFileSync(script, OWN)
  return script
}

const OWN = `await import(${JSON.stringify(MAIN)})`

await t.test(
  'code that cannot be read, a port that is taken, another configuration: the old process goes on',
  async t => {
    const script = scriptOf(t)
    await withUpgradableServer(t, { config, script }, async server => {
      const disk = await Initiator.login(portal(server), { target: BLANK })
      await disk.write(0, content(BLOCK, 1))
      const file = JSON.parse(readFileSync(server.configFile, 'utf8')) as Record<string, unknown>
      const refused = async (change: () => void, why: RegExp) => {
        change()
        const { status: code, body } = await server.upgrade()
        t.match({ code, body }, { code: 409, body: { code: 'upgrade-failed', detail: why } })
        writeFileSync(server.configFile, JSON.stringify(file))
        writeFileSync(script, OWN)
      }
      const configured = (change: object) => () =>
        writeFileSync(server.configFile, JSON.stringify({ ...file, ...change }))
      await refused(() => writeFileSync(script, 'export default {'), /SyntaxError/)
      await refused(configured({ workers: 0 }), /workers must be a whole number/)
      await refused(configured({ dataDir: '/elsewhere' }), /dataDir is not what it is for the server that runs/)
      const taken = { iscsi: '127.0.0.1:0', http: `127.0.0.1:${server.port}` }
      await refused(configured({ listen: taken }), /cannot listen on 127.0.0.1:\d+: the port is taken/)
      t.same(await disk.read(0, 1), content(BLOCK, 1))
      t.equal((await server.upgrade()).status, 200, 'and the next one that is well follows')
      t.same(await disk.read(0, 1), content(BLOCK, 1))
      await disk.logout()
    })
  },
)

await t.test('the new process is killed before it may begin: sessions go on in the old one', async t => {
  const script = scriptOf(t)
  await withUpgradableServer(t, { config, script, env: { HEIR: 'dies with the estate' } }, async server => {
    let over = false
    const shared = await Initiator.login(portal(server), { target: LAB })
    const anonymous = await Initiator.login(portal(server), { target: BLANK })
    const starvation = starvationOf(server)
    const loads = [shared, anonymous].map(disk => verifiedLoad(disk, { rounds: ROUNDS, starvation, stop: () => over }))
    writeFileSync(script, `await import(${JSON.stringify(HEIR)})`)
    for (const _ of [1, 2, 3]) t.match(await server.upgrade(), { status: 409, body: { detail: /ended by SIGKILL/ } })
    await setTimeout(500)
    over = true
    for (const { rounds, longestMs } of await Promise.all(loads)) {
      t.ok(rounds >= ROUNDS)
      t.ok(longestMs < LONGEST_STALL_MS, `the longest answer took ${longestMs} ms`)
    }
    await shared.logout()
    await anonymous.logout()
  })
})

await t.test(
  'the new process is killed after it has begun: the server ends, and the next start has every byte',
  async t => {
    const script = scriptOf(t)
    const data = content(64 * BLOCK, 9)
    await withUpgradableServer(t, { config, script, env: { HEIR: 'dies after go' }, mayFail: true }, async server => {
      const disk = await Initiator.login(portal(server), { target: LAB })
      await disk.write(0, data)
      writeFileSync(script, `await import(${JSON.stringify(HEIR)})`)
      await t.rejects(server.upgrade())
      t.equal(await server.exit, 1)
      t.match(server.complaints.join('\n'), /the new process did not serve: it was ended by SIGKILL/)
      await disk.wire.closed
      await withUpgradableServer(t, { config, folder: server.dataDir }, async after => {
        const again = await Initiator.login(portal(after), { target: LAB })
        t.same(await again.read(0, 64), data)
        await again.logout()
      })
    })
  },
)
