// A session that does nothing but ping, every 100 ms, whatever is being restarted: within a second the answer has to be there [DESIGN §4]. On a machine that is loaded by others the plain
// echo beside it tells how much of that is the machine's own, and the kernel how long the server's threads have waited for a processor.

import { setTimeout } from 'node:timers/promises'
import { Initiator, type PortalAddress } from '@scsipub/testkit'
import type { Starvation } from '../../harness/starvation.js'
import type { Breaks } from './breaks.js'
import type { Echo } from './echo.js'
import type { Lane } from './lane.js'
import { SessionWatch } from './session-watch.js'

const EVERY_MS = 100
/** On a machine that does nothing else; the run tells each that took longer. */
const PROMISED_MS = 1_000
/** No ping takes so long, whatever else the machine does. */
const LIMIT_MS = 3_000
/** Any stall, also where a thread has died: what spins is missed for five seconds first. */
const STALLED_MS = 8_000

interface PingLaneOptions {
  readonly address: PortalAddress
  readonly target: string
  readonly breaks: Breaks
  readonly echo: Echo
  readonly starvation: Starvation
  /** What is done to the server at the moment. */
  readonly doing: () => string
}

export class PingLane implements Lane {
  readonly name = 'pings'
  done = 0
  /** The longest, in ms, by what was done to the server meanwhile. */
  readonly longestMs = new Map<string, number>()
  longestEchoMs = 0
  /** Those that took longer than is promised. */
  readonly late: { readonly what: string; readonly pingMs: number; readonly echoMs: number }[] = []
  readonly #tookMs: number[] = []
  readonly #options: PingLaneOptions
  #stopped = false

  constructor(options: PingLaneOptions) {
    this.#options = options
  }

  stop(): void {
    this.#stopped = true
  }

  async run(): Promise<void> {
    this.#stopped = false
    const { address, target, breaks } = this.#options
    while (!this.#stopped && !breaks.fault) {
      let watches: SessionWatch[] = []
      try {
        const sessions = await Promise.all([1, 2].map(() => Initiator.login(address, { target })))
        watches = sessions.map(session => new SessionWatch(this.name, [session]))
        for (const watch of watches) breaks.watch(watch)
        while (!this.#stopped && !breaks.fault) await this.#ping(watches)
        for (const session of sessions) await session.close()
      } catch (error) {
        breaks.note(this.name, error, watches.length > 0 ? watches : undefined)
        for (const { connections } of watches) for (const connection of connections) await connection.close('reset')
        await setTimeout(EVERY_MS)
      } finally {
        for (const watch of watches) breaks.unwatch(watch)
      }
    }
  }

  /** So many of a hundred took at most that, in ms. */
  percentile(percent: number): number {
    const sorted = this.#tookMs.toSorted((a, b) => a - b)
    return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? 0
  }

  /** All sessions at once, and the echo before and after them. */
  async #ping(watches: readonly SessionWatch[]): Promise<void> {
    const { breaks, echo, starvation, doing } = this.#options
    const what = doing()
    const before = await echo.measure()
    const tolerant = breaks.open
    const starved = starvation.ms
    const took = await Promise.all(watches.map(watch => timed(watch)))
    const starvedMs = starvation.ms - starved
    const after = await echo.measure()
    const echoMs = Math.max(before, after)
    const pingMs = Math.max(...took)
    this.done += took.length
    this.longestEchoMs = Math.max(this.longestEchoMs, echoMs)
    if (pingMs > PROMISED_MS) this.late.push({ what, pingMs, echoMs })
    this.#tookMs.push(...took)
    for (const name of new Set([what, doing()]))
      this.longestMs.set(name, Math.max(this.longestMs.get(name) ?? 0, pingMs))
    const limit = (tolerant || breaks.open ? STALLED_MS : LIMIT_MS) + MACHINE * echoMs + starvedMs
    if (pingMs > limit)
      breaks.fail(
        new Error(
          `a ping took ${Math.round(pingMs)} ms during "${what}", an echo ${Math.round(echoMs)} ms; the server's threads waited ${Math.round(starvedMs)} ms for a processor`,
        ),
      )
    await setTimeout(EVERY_MS)
  }
}

/** A ping goes through more threads than an echo, each of which waits for a processor. */
const MACHINE = 4

async function timed(watch: SessionWatch): Promise<number> {
  const began = performance.now()
  const over = watch.begin()
  for (const session of watch.connections) await session.ping()
  over()
  return performance.now() - began
}
