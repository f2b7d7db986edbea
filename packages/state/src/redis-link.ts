/** The pair of connections that a store has to Redis: one for commands, one that hears of changes. When either ends, both do. */
import type { StateAddress } from '@scsipub/config'
import type { Redis } from 'ioredis'
import { inTime } from './in-time.js'
import { connect } from './redis-connection.js'
import { troubleOf } from './redis-trouble.js'

export class RedisLink {
  /** Resolves with the reason when the link has ended. */
  readonly ended: Promise<unknown>
  readonly #commands: Redis
  readonly #listening: Redis
  #end: (why: unknown) => void = () => {}

  private constructor(commands: Redis, listening: Redis) {
    this.#commands = commands
    this.#listening = listening
    this.ended = new Promise(resolve => {
      this.#end = resolve
    })
    for (const redis of [commands, listening]) redis.on('end', () => this.drop(new Error('the connection was lost')))
  }

  /** Connects both and subscribes; `heard` is called with every message from then on. */
  static async open(
    address: StateAddress,
    channels: readonly string[],
    heard: (channel: string, message: Buffer) => void,
  ): Promise<RedisLink> {
    const [commands, listening] = await Promise.allSettled([connect(address), connect(address)])
    if (commands.status === 'rejected' || listening.status === 'rejected') {
      for (const one of [commands, listening]) if (one.status === 'fulfilled') one.value.disconnect()
      throw commands.status === 'rejected' ? commands.reason : (listening as PromiseRejectedResult).reason
    }
    const link = new RedisLink(commands.value, listening.value)
    listening.value.on('messageBuffer', (channel: Buffer, message: Buffer) => heard(channel.toString(), message))
    try {
      await inTime(listening.value.subscribe(...channels))
    } catch (error) {
      link.drop(error)
      throw error
    }
    return link
  }

  /** An answer in time; no answer, or one that makes the link useless, ends it. */
  async ask<T>(send: (redis: Redis) => Promise<T>): Promise<T> {
    try {
      return await inTime(send(this.#commands))
    } catch (error) {
      if (troubleOf(error).reconnect) this.drop(error)
      throw error
    }
  }

  /** Ends the link: whatever waits for an answer is rejected. */
  drop(why: unknown): void {
    this.#end(why)
    this.#commands.disconnect()
    this.#listening.disconnect()
  }
}
