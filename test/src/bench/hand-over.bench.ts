// How long initiators wait while all session workers are replaced: `npm run bench -- hand-over`. 1,000 sessions, of which 50 read and write at the time, each with a disk of its own.
//
// Two views of it: the pauses that the server reports, and what the busy initiators saw, as the longest time that any of their commands took.

import { Initiator } from '@scsipub/testkit'
import { iqn } from '../harness/server.js'
import { BareSession } from './bare-session.js'
import type { Options } from './options.js'
import { inMemory } from './scratch.js'
import { Scsipub } from './scsipub.js'
import { verdict } from './sessions.bench.js'

const IDLE = 950
const BUSY = 50
const LOGINS_AT_A_TIME = 32
const TOKEN = 'benchmark-of-hand-over'
const BLOCKS = 8
const BLOCK_BYTES = 512
const MAX_P99_MS = 20
const MAX_MS = 250

interface Report {
  readonly moved: number
  readonly dropped: number
  readonly pauseMs: { readonly median: number; readonly p99: number; readonly max: number }
}

/** Prints a line a round. */
export async function benchHandOver({ extent }: Options): Promise<void> {
  await inMemory(2 ** 30, async folder => {
    const scsipub = await Scsipub.start(folder, {}, { admin: { token: TOKEN } })
    try {
      const idle = await inLanes(IDLE, index => BareSession.login(scsipub.port, 'blank', index))
      const options = { target: iqn('blank') }
      const busy = await inLanes(BUSY, () => Initiator.login({ host: '127.0.0.1', port: scsipub.port }, options))
      for (let round = 0; round < extent.rounds; round++) await replaceAll(scsipub, busy)
      await Promise.all(idle.map(session => session.logout()))
      await Promise.all(busy.map(initiator => initiator.close()))
    } finally {
      await scsipub.stop()
    }
  })
}

async function replaceAll(scsipub: Scsipub, busy: readonly Initiator[]): Promise<void> {
  let over = false
  const working = Promise.all(busy.map((initiator, index) => work(initiator, index, () => over)))
  let report: Report
  try {
    report = await restart(scsipub)
  } finally {
    over = true
  }
  const longest = Math.max(...(await working))
  const { moved, dropped, pauseMs } = report
  const ms = (value: number) => `${value.toFixed(1)} ms`
  console.log(`${moved} sessions moved, ${dropped} lost: ${verdict(dropped === 0 && moved >= IDLE + BUSY)}`)
  console.log(
    `  pauses: median ${ms(pauseMs.median)}, p99 ${ms(pauseMs.p99)}, longest ${ms(pauseMs.max)}, goal at most ${MAX_P99_MS} and ${MAX_MS}: ${verdict(pauseMs.p99 <= MAX_P99_MS && pauseMs.max <= MAX_MS)}`,
  )
  console.log(`  the longest that a command of a busy session took: ${ms(longest)}`)
}

/** @throws Error when the server refuses */
async function restart({ api }: Scsipub): Promise<Report> {
  const headers = { authorization: `Bearer ${TOKEN}` }
  const response = await fetch(`${api}/api/admin/workers/restart`, { method: 'POST', headers })
  if (!response.ok) throw new Error(`the restart was refused: ${response.status} ${await response.text()}`)
  return (await response.json()) as Report
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
