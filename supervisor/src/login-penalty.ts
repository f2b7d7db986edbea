/**
 * Failed logins of a party make its next refusals come later: guessing secrets gets slow, and nobody is ever shut out, since many may
 * share an address. Who has the right secret never waits.
 *
 * Loopback is not delayed unless caps hold for it too.
 */
import { isLoopback, partyOf } from './peer.js'

const FIRST_MS = 50
const LONGEST_MS = 2_000
/** A party is forgotten that long after its last failure. */
const FORGET_MS = 60_000
/** Parties that are remembered; the one that failed longest ago goes first. */
const MAX_PARTIES = 10_000

/** What another process of the server needs to know; plain data. */
export type PenaltyEstate = readonly { readonly party: string; readonly failures: number; readonly ageMs: number }[]

export class LoginPenalty {
  readonly #parties = new Map<string, { failures: number; lastMs: number }>()
  readonly #holdsForLoopback: boolean
  readonly #now: () => number

  constructor(options: { holdsForLoopback: boolean; now?: () => number }) {
    this.#holdsForLoopback = options.holdsForLoopback
    this.#now = options.now ?? (() => performance.now())
  }

  /** Counts a failure of the party at that address; the value is how long to wait before it is told, in milliseconds. */
  failed(address: string): number {
    if (isLoopback(address) && !this.#holdsForLoopback) return 0
    const key = partyOf(address)
    const now = this.#now()
    const before = this.#parties.get(key)
    const failures = before && now - before.lastMs < FORGET_MS ? before.failures + 1 : 1
    this.#parties.delete(key) // so that it becomes the youngest
    this.#parties.set(key, { failures, lastMs: now })
    this.#forgetOldest(now)
    return Math.min(FIRST_MS * 2 ** (failures - 1), LONGEST_MS)
  }

  /** Parties that are remembered. */
  get size(): number {
    return this.#parties.size
  }

  /** Who is remembered, oldest first; ages in milliseconds. */
  export(): PenaltyEstate {
    const now = this.#now()
    return [...this.#parties].map(([party, { failures, lastMs }]) => ({ party, failures, ageMs: now - lastMs }))
  }

  /** Goes on with what another process remembers. */
  import(parties: PenaltyEstate): void {
    const now = this.#now()
    for (const { party, failures, ageMs } of parties) this.#parties.set(party, { failures, lastMs: now - ageMs })
  }

  #forgetOldest(now: number): void {
    for (const [key, { lastMs }] of this.#parties) {
      if (this.#parties.size <= MAX_PARTIES && now - lastMs < FORGET_MS) return
      this.#parties.delete(key)
    }
  }
}
