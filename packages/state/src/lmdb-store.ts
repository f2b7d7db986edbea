/**
 * The embedded store: lmdb in a folder of the data directory. A write is answered after it is on disk (each commit is synced); writes that come together
 * share a commit. Several processes may have it open. Keys:
 *
 *     !format                        FORMAT
 *     !probe                         written to see that an outage is over
 *     !stamp                         the last version that was given out, or the number of the last removal
 *     COLLECTION:ID                  a record
 *     ~EXPIRY:COLLECTION:ID          empty; EXPIRY in 16 digits, so that what is due comes first
 *
 * A record whose time is over is not there for readers, and goes for good with a sweep once a second, which also looks for what other processes
 * have written.
 */
import { chmodSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { open, type RootDatabase } from 'lmdb'
import { Availability } from './availability.js'
import { inTime } from './in-time.js'
import { checkId, checkTtl, decodeRecord, encodeRecord, encodeValue, expiryOf, FORMAT, versionOf } from './record.js'
import type { Change, CollectionName, PutOptions, StateRecord, StateStore } from './store.js'
import { StateError } from './store.js'
import { type Listing, Watcher } from './watcher.js'

const SWEEP_MS = 1_000
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
  /** The last stamp that this process gave out or has listed up to; another one in the store is of another process. */
  #last: number
  /** Another process has written. */
  #foreign = false
  #closed = false

  /** Opens or makes the store in `folder`. Throws when it cannot be opened or was written by another version. `now` is the wall clock. */
  constructor(folder: string, now: () => number = Date.now) {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    chmodSync(folder, 0o700)
    this.#db = open<Buffer, string>({
      path: folder,
      encoding: 'binary',
      overlappingSync: false, // answered after the sync, not before
      eventTurnBatching: false, // a batch would have a promise of its own, whose rejection nobody could handle
    })
    for (const name of readdirSync(folder)) chmodSync(join(folder, name), 0o600)
    this.#now = now
    this.#checkFormat(folder)
    this.#last = this.#lastStamp()
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
    const outcome = await committedInTime(committed).catch((error: StateError) => {
      if (!this.#closed) this.#availability.set(false, error.message)
      throw error
    })
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

  #tell(collection: string, id: string, outcome: Outcome): void {
    for (const [watcher, watched] of this.#watchers)
      if (watched === collection) watcher.changed({ id, stamp: outcome.stamp, record: outcome.record })
  }

  /** Removes what has expired, tells the watchers of what other processes have written, and sees whether an outage is over. */
  async #tick(): Promise<void> {
    try {
      await this.#sweep()
      if (!this.#closed && !this.available)
        await committedInTime(this.#db.put('!probe', Buffer.from(String(this.#now()))))
      if (this.#closed) return
      this.#availability.set(true, 'the store can be written again')
      const last = this.#lastStamp()
      if (last === this.#last && !this.#foreign) return
      this.#last = last
      this.#foreign = false
      for (const watcher of this.#watchers.keys()) void watcher.refresh()
    } catch (error) {
      if (!this.#closed) this.#availability.set(false, (error as Error).message)
    }
  }

  async #sweep(): Promise<void> {
    const due = { start: '~', end: `~${digits(this.#now() + 1)}` }
    if (this.#closed || this.#db.getKeysCount({ ...due, limit: 1 }) === 0) return
    const swept = this.#db.transaction(() =>
      [...this.#db.getKeys(due)].flatMap(expiry => {
        const key = expiry.slice(expiry.indexOf(':') + 1)
        const there = this.#db.get(key)
        this.#db.removeSync(expiry)
        if (!there || expiryKey(expiryOf(there), key) !== expiry) return []
        this.#db.removeSync(key)
        return [{ key, stamp: this.#nextStamp() }]
      }),
    )
    for (const { key, stamp } of await committedInTime(swept)) {
      const [collection, id] = splitKey(key)
      this.#tell(collection, id, { stamp, record: undefined })
    }
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
    const last = this.#lastStamp()
    if (last !== this.#last) this.#foreign = true
    const stamp = Math.max(last + 1, this.#now() * 1000)
    this.#last = stamp
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

/** Collection and id of a record's key. */
function splitKey(key: string): [string, string] {
  const colon = key.indexOf(':')
  return [key.slice(0, colon), key.slice(colon + 1)]
}

function digits(ms: number): string {
  return String(Math.floor(ms)).padStart(16, '0')
}

/** A commit that does not end is as bad as one that fails: the caller is told, and reads again. */
async function committedInTime<T>(committed: Promise<T>): Promise<T> {
  try {
    return await inTime(committed, ' from the disk')
  } catch (error) {
    const why = await causeOf(error)
    throw new StateError('unavailable', `the state store cannot be written: ${why}`)
  }
}

/** The reason of a commit that failed, which is in a promise of its own that has to be handled. */
async function causeOf(error: unknown): Promise<string> {
  const { commitError, message } = error as Error & { commitError?: Promise<never> }
  const cause: unknown = commitError && (await Promise.race([commitError.catch((cause: unknown) => cause), sleep(100)]))
  return cause instanceof Error ? cause.message : message
}
