// Sessions that are at rest most of the time, as most sessions are: now and then each reads back what it wrote last, and writes something else. While a worker is about to die they are
// silent, so that none of them may lose a connection; right after it each has to find its data, on the connection that it had.

import { setTimeout } from 'node:timers/promises'
import type { Initiator } from '@scsipub/testkit'
import type { Dice } from '../../chaos/dice.js'
import { BLOCK, content } from '../../protocol/lab.js'
import type { Breaks } from './breaks.js'
import type { Lane } from './lane.js'
import { SessionWatch } from './session-watch.js'

const BLOCKS = 16
const LOOK_MS = 50
const LONGEST_REST_MS = 4_000

export interface RestingSession {
  readonly name: string
  /** First of its blocks, which nobody else uses. */
  readonly lba: number
  /** The connections of a new session, under the same name and ISID each time. */
  readonly login: () => Promise<Initiator[]>
  /** Its disk goes with it when it ends in order. */
  readonly passing: boolean
}

export interface RestLaneOptions {
  readonly sessions: readonly RestingSession[]
  readonly breaks: Breaks
  readonly dice: Dice
}

/** What a session's blocks hold, as far as it was answered; and what was being written then. */
interface Blocks {
  readonly settled: Buffer
  readonly underWay?: Buffer
}

export class RestLane implements Lane {
  readonly name = 'sessions at rest'
  done = 0
  readonly #options: RestLaneOptions
  readonly #blocks = new Map<RestingSession, Blocks>()
  #stopped = false

  constructor(options: RestLaneOptions) {
    this.#options = options
  }

  stop(): void {
    this.#stopped = true
  }

  async run(): Promise<void> {
    this.#stopped = false
    const { sessions, dice } = this.#options
    await Promise.all(sessions.map(session => this.#keep(session, dice.fork())))
  }

  async #keep(session: RestingSession, dice: Dice): Promise<void> {
    const { breaks } = this.#options
    if (session.passing) this.#blocks.delete(session)
    while (!this.#stopped && !breaks.fault) {
      const connections = await session.login().catch((error: unknown) => breaks.note(session.name, error))
      if (!connections) {
        await setTimeout(LOOK_MS)
        continue
      }
      const watch = new SessionWatch(session.name, connections)
      breaks.watch(watch)
      try {
        while (!this.#stopped && !breaks.fault) await this.#turn(session, watch, dice)
        await this.#use(session, watch, dice)
        for (const connection of connections) await connection.close()
      } catch (error) {
        if (error instanceof RangeError) breaks.fail(error)
        breaks.note(session.name, error, [watch])
        for (const connection of connections) await connection.close('reset')
      } finally {
        breaks.unwatch(watch)
      }
    }
  }

  /** Rests, and does something; at once when a worker has died meanwhile. @throws Error when the connection ends */
  async #turn(session: RestingSession, watch: SessionWatch, dice: Dice): Promise<void> {
    const { breaks } = this.#options
    const end = performance.now() + dice.below(LONGEST_REST_MS)
    let wasHushed = false
    while (breaks.hushed || (performance.now() < end && !wasHushed && !this.#stopped)) {
      wasHushed ||= breaks.hushed
      if (!watch.open) throw new Error('its connection has ended')
      await setTimeout(LOOK_MS)
    }
    await this.#use(session, watch, dice)
  }

  async #use(session: RestingSession, watch: SessionWatch, dice: Dice): Promise<void> {
    const over = watch.begin()
    const { name, lba } = session
    const blocks = this.#blocks.get(session) ?? { settled: Buffer.alloc(BLOCKS * BLOCK) }
    const settled = await dice.pick(watch.connections).read(lba, BLOCKS)
    if (!fits(settled, blocks)) throw new RangeError(`${name}: what was written last is not there`)
    const underWay = content(BLOCKS * BLOCK, lba * 100_000 + this.done)
    this.#blocks.set(session, { settled, underWay })
    await dice.pick(watch.connections).write(lba, underWay)
    this.#blocks.set(session, { settled: underWay })
    over()
    this.done++
  }
}

/** Of a write that was not answered each block may be there or not. */
function fits(found: Buffer, { settled, underWay }: Blocks): boolean {
  const isIn = (wanted: Buffer | undefined, at: number) =>
    wanted?.subarray(at, at + BLOCK).equals(found.subarray(at, at + BLOCK)) ?? false
  return Array.from({ length: BLOCKS }, (_, block) => block * BLOCK).every(
    at => isIn(settled, at) || isIn(underWay, at),
  )
}
