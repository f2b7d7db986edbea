// What a session costs: resident memory of an idle one, and how many can be logged in a second: `npm run bench -- sessions`.
// All of them go to the free target, so each has a disk of its own.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Options } from './options.js'
import { inMemory } from './scratch.js'
import { Scsipub } from './scsipub.js'
import type { LoginCount } from './session-load.bench.js'
import { median } from './statistics.js'
import { thousands } from './table.js'

const SESSIONS = 5000
const PARALLEL = 64
const CYCLE_SECONDS = 5
const MAX_KIB_PER_SESSION = 40
const MIN_LOGINS_PER_SECOND = 1500
/** So long the memory must not have become less before it counts. */
const SETTLED_MS = 6000
const LOOK_MS = 500
const LOAD = fileURLToPath(new URL('session-load.bench.js', import.meta.url))

export async function benchSessions({ extent }: Options): Promise<void> {
  await inMemory(2 ** 30, async folder => {
    const scsipub = await Scsipub.start(folder)
    try {
      await memory(scsipub)
      await logins(scsipub, extent.rounds)
    } finally {
      await scsipub.stop()
    }
  })
}

/** Memory first: a process that has had many sessions keeps some of it. */
async function memory(scsipub: Scsipub): Promise<void> {
  await load(['cycle', scsipub.port, PARALLEL, 1]) // the code is compiled, the heaps have their usual size
  const before = await settledKib(scsipub.pid)
  let after = 0
  const piled = await load(['hold', scsipub.port, SESSIONS], async () => {
    after = await settledKib(scsipub.pid)
  })
  const each = (after - before) / piled.logins
  console.log(
    `${thousands(piled.logins)} idle sessions: ${thousands(before)} KiB before, ${thousands(after)} KiB with them`,
  )
  console.log(
    `  ${each.toFixed(1)} KiB a session, goal at most ${MAX_KIB_PER_SESSION}: ${verdict(each <= MAX_KIB_PER_SESSION)}`,
  )
}

async function logins(scsipub: Scsipub, rounds: number): Promise<void> {
  const rates: number[] = []
  for (let round = 0; round < rounds; round++) {
    const count = await load(['cycle', scsipub.port, PARALLEL, CYCLE_SECONDS])
    rates.push(count.logins / count.seconds)
  }
  const rate = median(rates)
  console.log(
    `logins and logouts, ${PARALLEL} in parallel, ${rounds} rounds of ${CYCLE_SECONDS} s: ${rates.map(thousands).join(' ')}`,
  )
  console.log(
    `  ${thousands(rate)} a second, goal ${thousands(MIN_LOGINS_PER_SECOND)}: ${verdict(rate >= MIN_LOGINS_PER_SECOND)}`,
  )
}

/** Runs the initiator; `meanwhile` while it holds its sessions. @throws Error when it failed */
async function load(args: readonly (string | number)[], meanwhile?: () => Promise<void>): Promise<LoginCount> {
  const child = spawn(process.execPath, [LOAD, ...args.map(String)], { stdio: ['pipe', 'pipe', 'inherit'] })
  const exit = once(child, 'exit')
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const first = await lines.next()
  if (!first.done) await meanwhile?.()
  child.stdin.end()
  const [code] = (await exit) as [number | null]
  if (first.done || code !== 0) throw new Error(`the initiator of the sessions ended with code ${code}`)
  return JSON.parse(first.value) as LoginCount
}

/** VmRSS once it has not fallen for a while, since garbage is collected when the collector likes; the least that was seen. */
export async function settledKib(pid: number): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let quietMs = 0; quietMs < SETTLED_MS; quietMs += LOOK_MS) {
    const now = residentKib(pid)
    if (now < least) {
      least = now
      quietMs = 0
    }
    await delay(LOOK_MS)
  }
  return least
}

/** Resident memory of a process, see proc_pid_status(5). */
function residentKib(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1])
}

/** Whether a goal is met, in a word. */
export function verdict(met: boolean): string {
  return met ? 'met' : 'MISSED'
}
