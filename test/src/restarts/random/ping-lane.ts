// A session that does nothing but ping, every 100 ms, whatever is being restarted: within a second the answer has to be there [DESIGN §4]. On a machine that is loaded by others the plain
// echo beside it tells how much of that is the machine's own.

import { setTimeout } from 'node:timers/promises'
import { Initiator, type PortalAddress } from '@scsipub/testkit'
import type { Breaks } from './breaks.js'
import type { Echo } from './echo.js'
import type { Lane } from './lane.js'

const EVERY_MS = 100
/** 1 s is promised, on a machine that does nothing else; the run tells the longest. */
const PROMISED_MS = 3_000
/** Any stall, also where a thread has died: what spins is missed for five seconds first. */
const STALLED_MS = 8_000

export class PingLane implements Lane {
  readonly name = 'pings'
  done = 0
  /** The longest, in ms, by what was done to the server meanwhile. */
  readonly longestMs = new Map<string, number>()
  longestEchoMs = 0
  readonly #options: { address: PortalAddress; target: string; breaks: Breaks; echo: Echo; doing: () => string }
  #stopped = false

  constructor(options: { address: PortalAddress; target: string; breaks: Breaks; echo: Echo; doing: () => string }) {
    this.#options = options
  }

  stop(): void {
    this.#stopped = true
  }

  async run(): Promise<void> {
    this.#stopped = false
    const { address, target, breaks } = this.#options
    while (!this.#stopped && !breaks.fault) {
      try {
        const sessions = await Promise.all([1, 2].map(() => Initiator.login(address, { target })))
        while (!this.#stopped && !breaks.fault) await this.#ping(sessions)
        for (const session of sessions) await session.close()
      } catch (error) {
        breaks.note(this.name, error)
        await setTimeout(EVERY_MS)
      }
    }
  }

  /** All sessions at once, and the echo before and after them. */
  async #ping(sessions: readonly Initiator[]): Promise<void> {
    const { breaks, echo, doing } = this.#options
    const what = doing()
    const before = await echo.measure()
    const tolerant = breaks.open
    const took = await Promise.all(sessions.map(session => timed(session)))
    const after = await echo.measure()
    const echoMs = Math.max(before, after)
    const pingMs = Math.max(...took)
    this.done += took.length
    this.longestEchoMs = Math.max(this.longestEchoMs, echoMs)
    for (const name of new Set([what, doing()]))
      this.longestMs.set(name, Math.max(this.longestMs.get(name) ?? 0, pingMs))
    const limit = (tolerant || breaks.open ? STALLED_MS : PROMISED_MS) + MACHINE * echoMs
    if (pingMs > limit)
      breaks.fail(new Error(`a ping took ${Math.round(pingMs)} ms during "${what}", an echo ${Math.round(echoMs)} ms`))
    await setTimeout(EVERY_MS)
  }
}

/** A ping goes through more threads than an echo, each of which waits for a processor. */
const MACHINE = 4

async function timed(session: Initiator): Promise<number> {
  const began = performance.now()
  await session.ping()
  return performance.now() - began
}
