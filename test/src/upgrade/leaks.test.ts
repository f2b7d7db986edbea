// What a process holds after many upgrades is what it held after the first one, and what was given to the first process on its command line and in its environment the last one has too.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { Initiator } from '@scsipub/testkit'
import t from 'tap'
import { type UpgradableServer, withUpgradableServer } from '../harness/upgradable-server.js'
import { BLANK, content, portal, until } from '../protocol/lab.js'
import { CHAP, config, LAB, makeBusy, SECRET, untilGone, upgraded } from './lab.js'

const UPGRADES = 10
/** Of a process that has just begun; the runtime does as it likes with some of it. */
const MEMORY_MIB = 64
const KEPT_MS = 30_000

/** What it is, and how often: descriptors by what they stand for, mappings of files below the data directory, threads. */
type Held = ReadonlyMap<string, number>

function heldBy({ pid, dataDir }: UpgradableServer): Held {
  const proc = `/proc/${pid()}`
  const held = new Map<string, number>()
  const count = (name: string) => held.set(name, (held.get(name) ?? 0) + 1)
  for (const fd of readdirSync(`${proc}/fd`)) {
    const name = targetOf(`${proc}/fd/${fd}`).replace(/:\[\d+\]$/, '')
    if (name !== '') count(name)
  }
  for (const line of readFileSync(`${proc}/maps`, 'utf8').split('\n'))
    if (line.includes(dataDir)) count(`mapping of ${line.slice(line.indexOf(dataDir))}`)
  for (const _ of readdirSync(`${proc}/task`)) count('thread')
  return held
}

/** What there is more of than before. */
function more(before: Held, now: Held): string[] {
  return [...now].flatMap(([name, count]) => {
    const was = before.get(name) ?? 0
    return count > was ? [`${name} ${was} → ${count}`] : []
  })
}

/** Nowhere for one that is gone by now. */
function targetOf(link: string): string {
  try {
    return readlinkSync(link)
  } catch {
    return ''
  }
}

const memoryMiB = ({ pid }: UpgradableServer) =>
  Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid()}/status`, 'utf8'))?.[1]) / 1024)

/** Command line and environment, less what tells a process that it follows another one, and what the test runner tells each. */
function startOf(pid: number): { command: string; environment: string[] } {
  const [command, environment] = ['cmdline', 'environ'].map(name => readFileSync(`/proc/${pid}/${name}`, 'utf8'))
  const variables = environment!.split('\0').filter(variable => !/^(SCSIPUB_UPGRADE_LINK|_TAPJS_\w+)=/.test(variable))
  return { command: command!, environment: variables.toSorted() }
}

await t.test(`nothing is left over of ${UPGRADES} upgrades, and nothing of the start is lost`, async t => {
  const execArgv = ['--max-semi-space-size=2']
  const env = { UV_THREADPOOL_SIZE: '16', SCSIPUB_FREE_BLANKBYTES: String(64 << 20) }
  await withUpgradableServer(t, { config, execArgv, env }, async server => {
    const original = server.pid()
    const start = startOf(original)
    const states = () => heldBy(server).get(join(server.dataDir, 'data/state/data.mdb'))
    const statesFirst = states()
    const overlays = () => readdirSync(join(server.dataDir, 'data/ephemeral'))
    const logins = [{ target: LAB }, { target: BLANK }, { target: SECRET, chap: CHAP }, { target: BLANK }]
    const disks = await Promise.all(logins.map(login => Initiator.login(portal(server), login)))
    for (const disk of disks) await disk.write(0, content(4096, 1))
    const busy = await Initiator.login(portal(server), { target: BLANK })
    await makeBusy(busy)
    const keptMs = performance.now()
    await upgraded(t, server, { moved: 4, asked: 1 })
    t.equal(overlays().length, 3, 'two in use, and one that is kept')
    await untilGone(original)
    for (const disk of disks) await disk.read(0, 8)
    const first = server.pid()
    const heldFirst = heldBy(server)
    const memoryFirst = memoryMiB(server)
    for (let round = 1; round < UPGRADES; round++) {
      await upgraded(t, server, { moved: 4 })
      for (const disk of disks) t.same(await disk.read(0, 8), content(4096, 1))
    }
    await untilGone(first)
    t.same(startOf(server.pid()), start, 'options of Node, arguments, environment')
    t.equal(states(), statesFirst, 'the state store is open as often as in the first process')
    const leaked = () => more(heldFirst, heldBy(server))
    const none = () => leaked().length === 0
    const show = () => leaked().join(', ')
    await until('the last process holds no more than the second one', none, { deadlineMs: 30_000, show })
    const grown = memoryMiB(server) - memoryFirst
    t.ok(grown < MEMORY_MIB, `memory ${memoryFirst} MiB, and ${grown} more`)

    const leftMs = Math.max(0, KEPT_MS - (performance.now() - keptMs))
    const two = () => overlays().length === 2
    await until('the kept disk goes when its time is over', two, {
      deadlineMs: leftMs + 30_000,
      show: () => `${overlays()}`,
    })
    t.equal(server.log.filter(({ event }) => event === 'disk.dropped').length, 1, 'once')
    for (const disk of disks) await disk.logout()
    await until('no overlay is left', () => overlays().length === 0)
  })
})
