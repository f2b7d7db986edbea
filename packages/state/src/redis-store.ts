/**
 * The store in Redis 6 or later. What happens inside is in `redis-scripts.ts`, how a link is kept in `redis-keeper.ts`.
 *
 * A write counts when Redis acknowledged it; whether it is on disk then is Redis's configuration (`appendonly yes`, `appendfsync always` or
 * `everysec`), whether a failover keeps it is `replicas`.
 */
import type { StateAddress } from '@scsipub/config'
import { checkId, checkTtl, decodeRecord, encodeValue } from './record.js'
import { adviceFor } from './redis-advice.js'
import { RedisKeeper } from './redis-keeper.js'
import { collectionOf, keyOf } from './redis-keys.js'
import type { RedisLink } from './redis-link.js'
import { PUT, REMOVE } from './redis-scripts.js'
import type { Change, CollectionName, PutOptions, StateRecord, StateStore } from './store.js'
import { StateError } from './store.js'
import { type Listing, Watcher } from './watcher.js'

/** Records that are asked for at once. */
const CHUNK = 500
/** Part of the time for an answer that is left to the replicas. */
const REPLICAS_MS = 1_000

export interface RedisStoreOptions {
  readonly address: StateAddress
  /** Replicas that must have a write before it is answered; 0: none. */
  readonly replicas: number
  /** Called with each setting of the server that puts records at risk, once. */
  readonly advise: (text: string) => void
}

export class RedisStore implements StateStore {
  readonly #keeper: RedisKeeper
  readonly #options: RedisStoreOptions
  readonly #watchers = new Map<Watcher, CollectionName>()
  readonly #advised = new Set<string>()

  private constructor(options: RedisStoreOptions) {
    this.#options = options
    this.#keeper = new RedisKeeper({
      address: options.address,
      replicas: options.replicas,
      heard: (channel, message) => this.#heard(channel, message),
      linked: link => this.#linked(link),
    })
  }

  /** Resolves when the first attempt to reach the server is over, whether or not it did; then it goes on trying. */
  static async open(options: RedisStoreOptions): Promise<RedisStore> {
    const store = new RedisStore(options)
    await store.#keeper.start()
    return store
  }

  get available(): boolean {
    return this.#keeper.availability.available
  }

  onAvailability(listener: (available: boolean, why: string) => void): () => void {
    return this.#keeper.availability.listen(listener)
  }

  async list(collection: CollectionName): Promise<StateRecord[]> {
    const { records } = await this.#listing(collection)
    return records
  }

  async get(collection: CollectionName, id: string): Promise<StateRecord | undefined> {
    checkId(id)
    const [record] = await this.#fetch(this.#keeper.link, collection, [id])
    return record
  }

  async put(
    collection: CollectionName,
    id: string,
    value: unknown,
    expected: number,
    { ttlMs }: PutOptions = {},
  ): Promise<number> {
    checkId(id)
    checkTtl(ttlMs)
    return this.#write(PUT, collection, id, [id, String(expected), String(ttlMs ?? 0), encodeValue(value)], expected)
  }

  async remove(collection: CollectionName, id: string, expected: number): Promise<void> {
    checkId(id)
    await this.#write(REMOVE, collection, id, [id, String(expected)], expected)
  }

  watch(collection: CollectionName, listener: (change: Change) => void): () => void {
    const watcher = new Watcher(listener, () => this.#listing(collection))
    this.#watchers.set(watcher, collection)
    void watcher.refresh()
    return () => {
      watcher.end()
      this.#watchers.delete(watcher)
    }
  }

  async close(): Promise<void> {
    for (const watcher of this.#watchers.keys()) watcher.end()
    this.#watchers.clear()
    await this.#keeper.close()
  }

  async #write(
    script: string,
    collection: CollectionName,
    id: string,
    args: readonly string[],
    expected: number,
  ): Promise<number> {
    const { link } = this.#keeper
    const { address, replicas } = this.#options
    const keys = [keyOf.record(collection, id), keyOf.index(collection), keyOf.stamp]
    const rest = [...args, this.#keeper.deadline(), keyOf.channel(address.database, collection)]
    const [verdict, version] = await this.#ask(link, async redis => {
      const answer = redis.eval(script, keys.length, ...keys, ...rest) as Promise<[string, string]>
      if (replicas === 0) return answer
      const [written, reached] = await Promise.all([answer, redis.wait(replicas, REPLICAS_MS)])
      if (written[0] === 'ok' && reached < replicas) throw new Error(`NOREPLICAS ${reached} of ${replicas}`)
      return written
    })
    if (verdict === 'ok') return Number(version)
    const key = `${collection}:${id}`
    if (verdict === 'conflict')
      throw new StateError('conflict', `${key} has version ${version}, not ${expected} (0: there is none)`)
    throw new StateError('unavailable', `${key} was not written: Redis came to it too late`)
  }

  async #listing(collection: CollectionName): Promise<Listing & { records: StateRecord[] }> {
    const { link } = this.#keeper
    const stamp = await this.#ask(link, redis => redis.get(keyOf.stamp))
    const ids = await this.#ask(link, redis => redis.zrange(keyOf.index(collection), '0', '-1'))
    const records: StateRecord[] = []
    for (let at = 0; at < ids.length; at += CHUNK)
      records.push(...(await this.#fetch(link, collection, ids.slice(at, at + CHUNK))))
    return { stamp: Number(stamp ?? 0), records }
  }

  /** The records of these ids that are there. What is no string at all in Redis is a damaged record. */
  async #fetch(link: RedisLink, collection: CollectionName, ids: readonly string[]): Promise<StateRecord[]> {
    const keys = ids.map(id => keyOf.record(collection, id))
    const found = await this.#ask(link, redis => redis.mgetBuffer(...keys))
    const kinds = await this.#kinds(
      link,
      keys.filter((_, index) => !found[index]),
    )
    return ids.flatMap((id, index): StateRecord[] => {
      const bytes = found[index]
      if (bytes) return [decodeRecord(id, bytes)]
      const kind = kinds.get(keys[index] ?? '')
      return kind === undefined ? [] : [{ id, version: -1, damaged: `it is a ${kind}, not a string` }]
    })
  }

  /** By key, what is there of another type than string. */
  async #kinds(link: RedisLink, keys: readonly string[]): Promise<Map<string, string>> {
    if (keys.length === 0) return new Map()
    const kinds = await this.#ask(link, redis => Promise.all(keys.map(key => redis.type(key))))
    const others = keys.map((key, index) => [key, kinds[index] ?? 'none'] as const)
    return new Map(others.filter(([, kind]) => kind !== 'none' && kind !== 'string'))
  }

  async #ask<T>(link: RedisLink, send: Parameters<typeof link.ask<T>>[0]): Promise<T> {
    try {
      return await link.ask(send)
    } catch (error) {
      throw this.#keeper.refused(error)
    }
  }

  #heard(channel: string, message: Buffer): void {
    const collection = collectionOf(channel)
    const change = readMessage(message)
    if (!change) return
    for (const [watcher, watched] of this.#watchers) if (watched === collection) watcher.changed(change)
  }

  #linked(link: RedisLink): void {
    for (const watcher of this.#watchers.keys()) void watcher.refresh()
    adviceFor(link).then(
      texts => {
        for (const text of texts) if (!this.#advised.has(text)) this.#options.advise(text)
        for (const text of texts) this.#advised.add(text)
      },
      () => {}, // who may not ask INFO is not told
    )
  }
}

/** `STAMP SP ID`, and `SP RECORD` unless it is gone. Anything else was not sent by a store. */
function readMessage(message: Buffer): (Change & { stamp: number }) | undefined {
  const first = message.indexOf(' ')
  const stamp = Number(message.subarray(0, first).toString())
  if (first < 1 || !Number.isSafeInteger(stamp)) return undefined
  const second = message.indexOf(' ', first + 1)
  const id = message.subarray(first + 1, second < 0 ? message.length : second).toString()
  return { id, stamp, record: second < 0 ? undefined : decodeRecord(id, message.subarray(second + 1)) }
}
