/**
 * The session state store: what must survive the process and be known to a second node. Accounts, leases, private images, claims.
 *
 * Records are JSON under a collection and an id. Every write is a compare-and-set by the record's version, so that two who change one record never
 * lose either change. Two stores keep this contract, Redis and lmdb, and one suite of tests holds both to it.
 *
 * What is in a record is its owner's business, who validates it; the store tells apart what cannot be parsed. CHAP secrets lie in the store in clear,
 * since CHAP needs them (files are 0600 in a folder of 0700; guard Redis by a password and a private network); where a hash does, callers store that.
 *
 * Left out: transactions over several records, queries, and keeping what a caller could not write.
 */

/** A record. Versions grow with every write of the whole store and never come twice, also when a record is removed and made again. */
export interface Entry {
  readonly id: string
  readonly version: number
  /** What `JSON.parse` gave. */
  readonly value: unknown
}

/** A record that cannot be parsed; the others are not concerned. `remove` takes its `version`, so that an operator can clear it away. */
export interface Damaged {
  readonly id: string
  readonly version: number
  /** What is wrong with it, in words. */
  readonly damaged: string
}

export type StateRecord = Entry | Damaged

/** `record` is undefined when it was removed or has expired. */
export interface Change {
  readonly id: string
  readonly record: StateRecord | undefined
}

export type CollectionName = 'accounts' | 'leases' | 'images' | 'claims'

export interface PutOptions {
  /** The record is gone that long after this write, unless it is written again; a whole number from 1. Without it the record stays. */
  readonly ttlMs?: number
}

/** All operations reject with `StateError`, within about two seconds; ids and values that no store takes throw RangeError. */
export interface StateStore {
  /** All records of a collection, in no order. */
  list(collection: CollectionName): Promise<StateRecord[]>
  get(collection: CollectionName, id: string): Promise<StateRecord | undefined>
  /**
   * Writes when the record's version is `expected` (0: there is none), and resolves with the new version once the store has it for good.
   * `value` is anything that JSON can say, up to 1 MiB.
   */
  put(collection: CollectionName, id: string, value: unknown, expected: number, options?: PutOptions): Promise<number>
  /** Removes the record when its version is `expected`. */
  remove(collection: CollectionName, id: string, expected: number): Promise<void>
  /**
   * Tells the listener of every record as it is, then of every change, own ones too, in the order of each record's versions; after an outage, of
   * what changed meanwhile (only the last state of each record). Never called before `watch` returns. The value ends it.
   */
  watch(collection: CollectionName, listener: (change: Change) => void): () => void
  /** Whether the store can be written to, as far as is known. */
  readonly available: boolean
  /**
   * Calls the listener once per change of `available`, soon when it is false already, and again when an outage turns out to be one that a person has to
   * mend. `why` says in words what is wrong. The value ends it.
   */
  onAvailability(listener: (available: boolean, why: string) => void): () => void
  /** Ends watches and connections; operations afterwards are `unavailable`. */
  close(): Promise<void>
}

/**
 * `conflict`: the version is another one, nothing was written. `unavailable`: the store did not answer in time or refused; a write may have
 * been done or not (in Redis never after its answer was due), so the caller reads again before it goes on.
 */
export class StateError extends Error {
  readonly code: 'conflict' | 'unavailable'

  constructor(code: 'conflict' | 'unavailable', message: string) {
    super(message)
    this.name = 'StateError'
    this.code = code
  }
}

/** Whether a record can be parsed; a guard for `list` and `get`. */
export function isDamaged(record: StateRecord): record is Damaged {
  return 'damaged' in record
}
