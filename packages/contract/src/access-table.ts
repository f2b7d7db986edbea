/**
 * The initiator ports that a persistent reservation gives full access, as a hash table in the control block: two words a slot, the two
 * halves of a digest. Workers look one up at each command and I/O while there is a reservation; the engine alone changes it.
 *
 * An entry never moves while it is in the table, so nobody who stays in it is missed by a look-up that runs beside a change. What is removed leaves a
 * mark, for look-ups to pass; all marks go when the table is emptied.
 */
import { EMPTY, type PortDigest, REMOVED } from './borrower.js'

/** A power of two, and twice as many as registrations. */
const SLOTS = 256
export const ACCESS_TABLE_WORDS = 2 * SLOTS

export class AccessTable {
  readonly #words: Int32Array
  /** The table's first word, and the one behind it. */
  readonly #first: number
  readonly #end: number

  /** `words`: shared memory, with the table's ACCESS_TABLE_WORDS words from `first` on. */
  constructor(words: Int32Array, first: number) {
    this.#words = words
    this.#first = first
    this.#end = first + ACCESS_TABLE_WORDS
  }

  has(port: PortDigest): boolean {
    return this.#find(port) >= 0
  }

  /** The engine's: adds what is missing of `ports`, and removes all others. */
  replace(ports: readonly PortDigest[]): void {
    this.add(ports)
    for (let at = this.#first; at < this.#end; at += 2) {
      const high = Atomics.load(this.#words, at)
      const low = Atomics.load(this.#words, at + 1)
      if (high === EMPTY || high === REMOVED) continue
      if (!ports.some(port => port.high === high && port.low === low)) Atomics.store(this.#words, at, REMOVED)
    }
    if (ports.length === 0) for (let at = this.#first; at < this.#end; at += 2) Atomics.store(this.#words, at, EMPTY)
  }

  /** The engine's. Throws RangeError when there is no room. */
  add(ports: readonly PortDigest[]): void {
    for (const port of ports) {
      if (this.has(port)) continue
      const at = this.#free(port)
      // Nobody takes the slot for used before its first word is there.
      Atomics.store(this.#words, at + 1, port.low)
      Atomics.store(this.#words, at, port.high)
    }
  }

  #find({ high, low }: PortDigest): number {
    for (let probe = 0, slot = low; probe < SLOTS; probe++, slot++) {
      const at = this.#first + 2 * (slot & (SLOTS - 1))
      const found = Atomics.load(this.#words, at)
      if (found === EMPTY) return -1
      if (found === high && Atomics.load(this.#words, at + 1) === low) return at
    }
    return -1
  }

  #free({ low }: PortDigest): number {
    for (let probe = 0, slot = low; probe < SLOTS; probe++, slot++) {
      const at = this.#first + 2 * (slot & (SLOTS - 1))
      const found = Atomics.load(this.#words, at)
      if (found === EMPTY || found === REMOVED) return at
    }
    throw new RangeError('the access table is full')
  }
}
