/**
 * The embedded store: lmdb in a folder of the data directory. A write is answered after it is on disk (each commit is synced); writes that come together
 * share a commit. Several processes may have it open. Keys:
 *
 *     !format                        FORMAT
 *     !stamp                         the last version that was given out, or the number of the last removal
 *     COLLECTION:ID                  a record
 *     ~EXPIRY:COLLECTION:ID          empty; EXPIRY in 16 digits, so that what is due comes first
 *
 * A record whose time is over is not there for readers, and goes for good with a sweep once a second, which also looks for what other processes
 * have written.
 */
import { chmodSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { open, type RootDatabase } from 'lmdb'
import { Availability } from './availability.js'
import { checkId, checkTtl, decodeRecord, encodeRecord, encodeValue, expiryOf, FORMAT, versionOf } from './record.js'
import type { Change, CollectionName, PutOptions, StateRecord, StateStore } from './store.js'
import { StateError } from './store.js'
import { type Listing, Watcher } from './watcher.js'

const SWEEP_MS = 1_000
const ANSWER_MS = 2_000
const EMPTY = Buffer.alloc(0)

interface Outcome {
  readonly stamp: number
  readonly record: StateRecord | undefined
}

export class LmdbStore implements StateStore {
  readonly #db: RootDatabase<Buffer, string>
  readonly #availability = new Availability(true, 'the store is open')
  readonly #watchers = new Map<Watcher, CollectionName>()
  readonly #timer: NodeJS.Timeout
  readonly #now: () => number
  /** The last stamp of which the watchers know. */
  #seen: number
  #closed = false

  /** Opens or makes the store in `folder`. Throws when it cannot be opened or was written by another version. `now` is the wall clock. */
  constructor(folder: string, now: () => number = Date.now) {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    chmodSync(folder, 0o700)
    this.#db = open<Buffer, string>({ path: folder, encoding: 'binary', overlappingSync: false })
    for (const name of readdirSync(folder)) chmodSync(join(folder, name), 0o600)
    this.#now = now
    this.#checkFormat(folder)
    this.#seen = this.#lastStamp()
    this.#timer = setInterval(() => void this.#tick(), SWEEP_MS).unref()
  }

  get available(): boolean {
    return this.#availability.available
  }

  onAvailability(listener: (available: boolean, why: string) => void): () => void {
    return this.#availability.listen(listener)
  }

  async list(collection: CollectionName): Promise<StateRecord[]> {
    return this.#listing(collection).records
  }

  async get(collection: CollectionName, id: string): Promise<StateRecord | undefined> {
    checkId(id)
    this.#mustBeOpen()
    const bytes = this.#read(`${collection}:${id}`)
    return bytes && decodeRecord(id, bytes)
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
    const json = encodeValue(value)
    const { stamp } = await this.#write(collection, id, expected, (key, stamp) => {
      const expiresMs = ttlMs === undefined ? 0 : this.#now() + ttlMs
      const bytes = Buffer.from(encodeRecord(stamp, expiresMs, json))
      this.#db.putSync(key, bytes)
      if (expiresMs > 0) this.#db.putSync(expiryKey(expiresMs, key), EMPTY)
      return decodeRecord(id, bytes)
    })
    return stamp
  }

  async remove(collection: CollectionName, id: string, expected: number): Promise<void> {
    checkId(id)
    await this.#write(collection, id, expected, key => {
      this.#db.removeSync(key)
      return undefined
    })
  }

  watch(collection: CollectionName, listener: (change: Change) => void): () => void {
    const watcher = new Watcher(listener, async () => {
      await Promise.resolve() // `watch` returns first
      return this.#listing(collection)
    })
    this.#watchers.set(watcher, collection)
    void watcher.refresh()
    return () => {
      watcher.end()
      this.#watchers.delete(watcher)
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    clearInterval(this.#timer)
    for (const watcher of this.#watchers.keys()) watcher.end()
    this.#availability.close()
    await this.#db.close()
  }

  /** One compare-and-set. `act` runs inside the transaction, with the stamp of the change. */
  async #write(
    collection: CollectionName,
    id: string,
    expected: number,
    act: (key: string, stamp: number) => StateRecord | undefined,
  ): Promise<Outcome> {
    this.#mustBeOpen()
    const key = `${collection}:${id}`
    const committed = this.#db.transaction((): Outcome | number => {
      const there = this.#read(key)
      const version = there ? versionOf(there) : 0
      if (version !== expected) return version
      const stamp = this.#nextStamp()
      this.#forgetExpiry(key)
      return { stamp, record: act(key, stamp) }
    })
    const outcome = await inTime(committed)
    if (typeof outcome === 'number')
      throw new StateError('conflict', `${key} has version ${outcome}, not ${expected} (0: there is none)`)
    this.#tell(collection, id, outcome)
    return outcome
  }

  /** The bytes of a record that has not expired. */
  #read(key: string): Buffer | undefined {
    const bytes = this.#db.get(key)
    if (!bytes) return undefined
    const expiresMs = expiryOf(bytes)
    return expiresMs > 0 && expiresMs <= this.#now() ? undefined : bytes
  }

  #listing(collection: CollectionName): Listing & { records: StateRecord[] } {
    this.#mustBeOpen()
    const stamp = this.#lastStamp()
    const records: StateRecord[] = []
    for (const { key, value } of this.#db.getRange({ start: `${collection}:`, end: `${collection};` })) {
      const expiresMs = expiryOf(value)
      if (expiresMs > 0 && expiresMs <= this.#now()) continue
      records.push(decodeRecord(key.slice(collection.length + 1), value))
    }
    return { stamp, records }
  }

  #tell(collection: CollectionName, id: string, outcome: Outcome): void {
    for (const [watcher, watched] of this.#watchers)
      if (watched === collection) watcher.changed({ id, stamp: outcome.stamp, record: outcome.record })
  }

  /** Removes what has expired, and tells the watchers when anybody has changed anything that they may not know of. */
  async #tick(): Promise<void> {
    try {
      await this.#sweep()
      if (this.#closed) return
      const last = this.#lastStamp()
      if (last === this.#seen) return
      this.#seen = last
      for (const watcher of this.#watchers.keys()) void watcher.refresh()
    } catch (error) {
      this.#availability.set(false, `the store cannot be written: ${String(error)}`)
      return
    }
    this.#availability.set(true, 'the store can be written again')
  }

  async #sweep(): Promise<void> {
    const due = { start: '~', end: `~${digits(this.#now() + 1)}` }
    if (this.#closed || this.#db.getKeysCount({ ...due, limit: 1 }) === 0) return
    await this.#db.transaction(() => {
      for (const expiry of [...this.#db.getKeys(due)]) {
        const key = expiry.slice(expiry.indexOf(':') + 1)
        const there = this.#db.get(key)
        if (there && expiryKey(expiryOf(there), key) === expiry) {
          this.#db.removeSync(key)
          this.#nextStamp()
        }
        this.#db.removeSync(expiry)
      }
    })
  }

  /** Takes the mark of the old record's expiry away, inside a transaction. */
  #forgetExpiry(key: string): void {
    const there = this.#db.get(key)
    const expiresMs = there ? expiryOf(there) : 0
    if (expiresMs > 0) this.#db.removeSync(expiryKey(expiresMs, key))
  }

  #lastStamp(): number {
    return Number(this.#db.get('!stamp')?.toString() ?? 0)
  }

  /** Inside a transaction: a number that the store has never given out, the time in microseconds or more. */
  #nextStamp(): number {
    const stamp = Math.max(this.#lastStamp() + 1, this.#now() * 1000)
    this.#db.putSync('!stamp', Buffer.from(String(stamp)))
    return stamp
  }

  #checkFormat(folder: string): void {
    const format = this.#db.get('!format')?.toString()
    if (format === undefined) this.#db.putSync('!format', Buffer.from(String(FORMAT)))
    else if (format !== String(FORMAT))
      throw new Error(`${folder} has the format ${format} of another version; this one knows ${FORMAT}`)
  }

  #mustBeOpen(): void {
    if (this.#closed) throw new StateError('unavailable', 'the state store is closed')
  }
}

function expiryKey(expiresMs: number, key: string): string {
  return `~${digits(expiresMs)}:${key}`
}

function digits(ms: number): string {
  return String(Math.floor(ms)).padStart(16, '0')
}

/** A commit that does not end is as bad as one that fails: the caller is told, and reads again. */
async function inTime<T>(committed: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer from the disk in ${ANSWER_MS} ms`)), ANSWER_MS)
  })
  try {
    return await Promise.race([committed, late])
  } catch (error) {
    throw new StateError('unavailable', error instanceof Error ? error.message : String(error))
  } finally {
    clearTimeout(timer)
  }
}
