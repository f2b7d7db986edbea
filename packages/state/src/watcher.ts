/**
 * One listener of a collection: what it has been told of, and how messages and listings come together.
 *
 * Messages of single changes come as they happen; a listing comes at the beginning and whenever messages may have been missed. While one is being
 * made, an id that a message names is left to the message: it is as new as the listing, or another message follows. What a listing holds
 * already (up to its `stamp`) is not told again by a message that was late.
 */
import { type Change, isDamaged, type StateRecord } from './store.js'

/** All records of a collection, and a stamp: every change up to it is in there, some later ones may be. */
export interface Listing {
  readonly stamp: number
  readonly records: readonly StateRecord[]
}

/** A change by its stamp: the version that it wrote, or the number that its removal has among the versions. */
export interface StampedChange extends Change {
  readonly stamp: number
}

export class Watcher {
  readonly #listener: (change: Change) => void
  readonly #list: () => Promise<Listing>
  readonly #known = new Map<string, string>()
  #listedUpTo = 0
  #named: Set<string> | undefined
  #again = false
  #ended = false

  constructor(listener: (change: Change) => void, list: () => Promise<Listing>) {
    this.#listener = listener
    this.#list = list
  }

  /** No calls after this one. */
  end(): void {
    this.#ended = true
  }

  /** A message. */
  changed({ id, stamp, record }: StampedChange): void {
    if (stamp <= this.#listedUpTo) return
    this.#named?.add(id)
    this.#tell(id, record)
  }

  /** Lists, and tells what is new. A listing that fails is made up for by the next call, which the end of the outage brings. */
  async refresh(): Promise<void> {
    if (this.#named) {
      this.#again = true
      return
    }
    const named = new Set<string>()
    this.#named = named
    try {
      do {
        this.#again = false
        named.clear()
        this.#take(await this.#list(), named)
      } while (this.#again && !this.#ended)
    } catch {
      // The store is unavailable, and says so itself.
    } finally {
      this.#named = undefined
    }
  }

  #take({ stamp, records }: Listing, named: ReadonlySet<string>): void {
    const gone = new Set(this.#known.keys())
    for (const record of records) {
      gone.delete(record.id)
      if (!named.has(record.id)) this.#tell(record.id, record)
    }
    for (const id of gone) if (!named.has(id)) this.#tell(id, undefined)
    this.#listedUpTo = Math.max(this.#listedUpTo, stamp)
  }

  #tell(id: string, record: StateRecord | undefined): void {
    if (this.#ended) return
    const state = record && `${record.version} ${isDamaged(record) ? record.damaged : ''}`
    if (this.#known.get(id) === state) return
    if (state === undefined) this.#known.delete(id)
    else this.#known.set(id, state)
    this.#listener({ id, record })
  }
}
