/**
 * When something is due with one of many things, by one timer for all of them. Times are those of the wall clock, since leases outlive the process.
 *
 * Ten thousand entries are looked through only when the timer rings, which takes less than a millisecond; a heap would be more than that is worth.
 */

/** A timer's longest run: `setTimeout` takes no more than 2^31 - 1 ms, and the wall clock may be set. */
const MAX_WAIT_MS = 60_000

export class Deadlines {
  readonly #due = new Map<string, number>()
  readonly #ring: (key: string) => void
  readonly #now: () => number
  #timer: NodeJS.Timeout | undefined
  #timerAt = Number.POSITIVE_INFINITY
  #closed = false

  /** `ring` is called for each key once when its time has come. */
  constructor(ring: (key: string) => void, now: () => number) {
    this.#ring = ring
    this.#now = now
  }

  get size(): number {
    return this.#due.size
  }

  /** The key is due at that time, in milliseconds since 1970, and at no other. */
  set(key: string, at: number): void {
    if (this.#closed) return
    this.#due.set(key, at)
    if (at < this.#timerAt) this.#arm(at)
  }

  delete(key: string): void {
    this.#due.delete(key)
  }

  /** Nothing rings any more. */
  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#due.clear()
  }

  #arm(at: number): void {
    clearTimeout(this.#timer)
    this.#timerAt = at
    if (at === Number.POSITIVE_INFINITY) return
    const wait = Math.min(MAX_WAIT_MS, Math.max(0, at - this.#now()))
    this.#timer = setTimeout(() => this.#look(), wait).unref()
  }

  #look(): void {
    const now = this.#now()
    const due: string[] = []
    let next = Number.POSITIVE_INFINITY
    for (const [key, at] of this.#due) {
      if (at <= now) due.push(key)
      else next = Math.min(next, at)
    }
    for (const key of due) this.#due.delete(key)
    this.#arm(next)
    for (const key of due) this.#ring(key)
  }
}
