/**
 * Keeps a link to Redis: opens it, looks once a second whether it can be written to, and opens another when it ends, with growing pauses.
 *
 * The beat also has records that expired told of, and measures the clock of the server, by which writes carry their deadline. A lost connection is an
 * outage only when it cannot be had again at once; all else is one as soon as it is seen.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { StateAddress } from '@scsipub/config'
import { Availability } from './availability.js'
import { ANSWER_MS } from './in-time.js'
import { FORMAT } from './record.js'
import { keyOf, NAMES } from './redis-keys.js'
import { RedisLink } from './redis-link.js'
import { BEAT } from './redis-scripts.js'
import { type Trouble, troubleOf } from './redis-trouble.js'
import { StateError } from './store.js'

const BEAT_MS = 1_000
/** The probe is written with every such beat; with every beat while the store is out. */
const PROBE_EVERY = 5
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 2_000

export interface KeeperOptions {
  readonly address: StateAddress
  /** Replicas that must have a write before it counts. */
  readonly replicas: number
  readonly heard: (channel: string, message: Buffer) => void
  /** A link is there: messages come, and what was missed can be listed. */
  readonly linked: (link: RedisLink) => void
}

export class RedisKeeper {
  readonly availability = new Availability(false, 'Redis was not asked yet')
  readonly #options: KeeperOptions
  readonly #closing = new AbortController()
  #link: RedisLink | undefined
  #running: Promise<void> | undefined
  /** Microseconds: the server's clock is at least this much ahead of `performance.now()`. */
  #clockAhead = 0

  constructor(options: KeeperOptions) {
    this.#options = options
  }

  /** Begins; resolves when the first attempt has shown how it is. */
  async start(): Promise<void> {
    await new Promise<void>(resolve => {
      this.#running = this.#run(resolve)
    })
  }

  /** The link that is there; throws `unavailable` with the reason when there is none. */
  get link(): RedisLink {
    if (!this.#link) throw new StateError('unavailable', `the state store cannot be used: ${this.availability.why}`)
    return this.#link
  }

  /** When a write that begins now has to have happened, by the server's clock in microseconds; never later than its caller hears of it. */
  deadline(): string {
    return String(Math.floor((performance.now() + ANSWER_MS) * 1000 + this.#clockAhead))
  }

  /** What an operation met; the value is the error for its caller. */
  refused(error: unknown): StateError {
    const trouble = troubleOf(error)
    if (!trouble.reconnect && trouble.concernsAll) this.#out(trouble)
    return new StateError('unavailable', `the state store cannot be used: ${trouble.why}`)
  }

  async close(): Promise<void> {
    this.#closing.abort()
    this.#link?.drop(new Error('closed'))
    this.availability.close()
    await this.#running
  }

  async #run(shown: () => void): Promise<void> {
    const { signal } = this.#closing
    const { address, heard, linked } = this.#options
    let pauseMs = 0
    while (!signal.aborted) {
      let link: RedisLink | undefined
      try {
        link = await RedisLink.open(
          address,
          NAMES.map(name => keyOf.channel(address.database, name)),
          heard,
        )
        await this.#beat(link, true)
        if (signal.aborted) break
        this.#link = link
        pauseMs = 0
        this.availability.set(true, 'Redis answers and can be written to')
        shown()
        linked(link)
        await this.#keep(link)
      } catch (error) {
        const trouble = troubleOf(error)
        const wasLinked = this.#link !== undefined
        this.#link = undefined
        if (!(wasLinked && trouble.lost)) this.#out(trouble)
        pauseMs = wasLinked ? 0 : Math.min(Math.max(pauseMs * 2, FIRST_PAUSE_MS), LONGEST_PAUSE_MS)
      } finally {
        this.#link = undefined
        link?.drop(new Error('the connection was closed'))
      }
      shown()
      if (pauseMs > 0) await sleep(pauseMs, undefined, { signal, ref: false }).catch(() => {})
    }
    shown()
  }

  /** Beats until the link ends, then throws why. */
  async #keep(link: RedisLink): Promise<never> {
    const ended = link.ended.then(error => {
      throw error
    })
    ended.catch(() => {})
    for (let count = 1; ; count++) {
      await Promise.race([ended, sleep(BEAT_MS, undefined, { ref: false })])
      const probe = !this.availability.available || count % PROBE_EVERY === 0
      try {
        await this.#beat(link, probe)
      } catch (error) {
        if (troubleOf(error).reconnect) throw await link.ended // the first reason, which may be another operation's
        this.#out(troubleOf(error))
        continue
      }
      if (probe) this.availability.set(true, 'Redis can be written to again')
    }
  }

  async #beat(link: RedisLink, probe: boolean): Promise<void> {
    const { address, replicas } = this.#options
    const keys = [keyOf.format, keyOf.probe, keyOf.stamp, ...NAMES.map(keyOf.index)]
    const more = NAMES.flatMap(name => [keyOf.record(name, ''), keyOf.channel(address.database, name)])
    const args = [String(FORMAT), probe ? '1' : '0', ...more]
    const answer = await link.ask(redis => redis.eval(BEAT, keys.length, ...keys, ...args))
    const [verdict, text] = answer as [string, string]
    if (verdict === 'format') throw new Error(`FORMAT ${text}`)
    this.#clockAhead = Number(text) - performance.now() * 1000
    if (!probe || replicas === 0) return
    const reached = await link.ask(redis => redis.wait(replicas, ANSWER_MS / 2))
    if (reached < replicas) throw new Error(`NOREPLICAS ${reached} of ${replicas}`)
  }

  #out({ why, person }: Trouble): void {
    if (!this.#closing.signal.aborted) this.availability.set(false, why, { person })
  }
}
