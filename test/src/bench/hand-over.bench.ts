// How long initiators wait while all session workers are replaced, `npm run bench -- hand-over`, or the whole server, `-- upgrade`. 1,000 sessions, of which 50 read and write at the time, each with a disk of its own.
//
// Two views of it: the pauses that the server reports, and what the busy initiators saw, as the longest time that any of their commands took.

import { Initiator } from '@scsipub/testkit'
import { iqn } from '../harness/server.js'
import { BareSession } from './bare-session.js'
import type { Options } from './options.js'
import { inMemory } from './scratch.js'
import { ADMIN_TOKEN, Scsipub } from './scsipub.js'
import { verdict } from './sessions.bench.js'

const IDLE = 950
const BUSY = 50
const SESSIONS = IDLE + BUSY
const LOGINS_AT_A_TIME = 32
const BLOCKS = 8
const BLOCK_BYTES = 512
const MAX_P99_MS = 20
const MAX_MS = 250

interface Report {
  readonly moved: number
  readonly dropped: number
  readonly pauseMs: { readonly median: number; readonly p99: number; readonly max: number }
}

/** Prints the pauses of each round. */
export async function benchHandOver(options: Options): Promise<void> {
  await withSessions(options, async (scsipub, busy) => {
    const { report, longestMs } = await beside(busy, () => scsipub.administer<Report>('workers/restart'))
    const { moved, dropped, pauseMs } = report
    console.log(`${moved} sessions moved, ${dropped} lost: ${verdict(dropped === 0 && moved >= SESSIONS)}`)
    console.log(
      `  pauses: median ${ms(pauseMs.median)}, p99 ${ms(pauseMs.p99)}, longest ${ms(pauseMs.max)}, goal at most ${MAX_P99_MS} and ${MAX_MS}: ${verdict(pauseMs.p99 <= MAX_P99_MS && pauseMs.max <= MAX_MS)}`,
    )
    console.log(`  the longest that a command of a busy session took: ${ms(longestMs)}`)
  })
}

interface UpgradeReport {
  readonly to: { readonly pid: number }
  readonly moved: number
  readonly asked_to_log_in_again: number
  readonly pause_ms: number
  readonly login_pause_ms: number
}

/** As `benchHandOver`, with the whole server replaced. */
export async function benchUpgrade(options: Options): Promise<void> {
  await withSessions(options, async (scsipub, busy) => {
    const { report, longestMs } = await beside(busy, () => scsipub.upgrade<UpgradeReport>())
    const { moved, asked_to_log_in_again: asked, pause_ms: pauseMs, login_pause_ms: loginMs } = report
    console.log(`${moved} sessions went on, ${asked} had to log in again: ${verdict(asked === 0 && moved >= SESSIONS)}`)
    console.log(`  all stood still for ${ms(pauseMs)}, logins waited for up to ${ms(loginMs)}`)
    console.log(`  the longest that a command of a busy session took: ${ms(longestMs)}`)
  })
}

/** Has the sessions in a server of ours for as many rounds as are wanted; all of them have to be there at the end. */
async function withSessions(
  { extent }: Options,
  round: (scsipub: Scsipub, busy: readonly Initiator[]) => Promise<void>,
): Promise<void> {
  await inMemory(2 ** 30, async folder => {
    const scsipub = await Scsipub.start(folder, {}, { admin: { token: ADMIN_TOKEN } })
    try {
      const idle = await inLanes(IDLE, index => BareSession.login(scsipub.port, 'blank', index))
      const options = { target: iqn('blank') }
      const busy = await inLanes(BUSY, () => Initiator.login({ host: '127.0.0.1', port: scsipub.port }, options))
      for (let count = 0; count < extent.rounds; count++) await round(scsipub, busy)
      await Promise.all(idle.map(session => session.logout()))
      await Promise.all(busy.map(initiator => initiator.close()))
    } finally {
      await scsipub.stop()
    }
  })
}

/** Does something while the busy sessions are at work. */
async function beside<T>(busy: readonly Initiator[], act: () => Promise<T>): Promise<{ report: T; longestMs: number }> {
  let over = false
  const working = Promise.all(busy.map((initiator, index) => work(initiator, index, () => over)))
  let report: T
  try {
    report = await act()
  } finally {
    over = true
  }
  return { report, longestMs: Math.max(...(await working)) }
}

function ms(value: number): string {
  return `${value.toFixed(1)} ms`
}

/** Writes and reads back, one command at a time; the longest that one took, in ms. @throws Error for other data than what was written */
async function work(initiator: Initiator, seed: number, over: () => boolean): Promise<number> {
  let longest = 0
  for (let count = 0; !over(); count++) {
    const data = Buffer.alloc(BLOCKS * BLOCK_BYTES, (seed + count) & 0xff)
    const lba = (count % 1000) * BLOCKS
    const beganMs = performance.now()
    await initiator.write(lba, data)
    const wroteMs = performance.now()
    if (!(await initiator.read(lba, BLOCKS)).equals(data)) throw new Error('what was read is not what was written')
    longest = Math.max(longest, wroteMs - beganMs, performance.now() - wroteMs)
  }
  return longest
}

/** Makes `count` of something, a few at a time. */
async function inLanes<T>(count: number, make: (index: number) => Promise<T>): Promise<T[]> {
  const made: T[] = []
  let next = 0
  const lane = async () => {
    for (let index = next++; index < count; index = next++) made.push(await make(index))
  }
  await Promise.all(Array.from({ length: LOGINS_AT_A_TIME }, lane))
  return made
}
