/**
 * Keeps a worker awake for a moment after input, because more may come at once. To sleep and be woken costs 30–50 µs on a virtual
 * processor, several times what a 4 KiB read takes; an initiator that waits for each answer pays it with every command.
 *
 * It is done only where it pays: while input keeps coming within the moment. When it does not, one input in sixteen
 * is followed by a try, so a quiet or slow session costs next to nothing. See docs/adr/0008.
 */

/** How long to stay awake after input. */
export const SPIN_MS = 0.1
const MAX_WORTH = 8
const MISS = 2
/** Without success, one input in so many is followed by a try. */
export const TRY_EVERY = 16

export interface Clock {
  now(): number
  /** Calls back after the event loop has looked for input. */
  defer(callback: () => void): void
}

const eventLoop: Clock = { now: () => performance.now(), defer: callback => void setImmediate(callback) }

export class BusyPoll {
  readonly #clock: Clock
  #until = 0
  #spinning = false
  #worth = 0
  #inputs = 0
  readonly #turn = (): void => {
    if (this.#clock.now() < this.#until) return this.#clock.defer(this.#turn)
    this.#spinning = false
    this.#worth = Math.max(0, this.#worth - MISS)
  }

  constructor(clock: Clock = eventLoop) {
    this.#clock = clock
  }

  get spinning(): boolean {
    return this.#spinning
  }

  /** There was input at `nowMs`. */
  input(nowMs: number): void {
    if (this.#spinning) this.#worth = Math.min(MAX_WORTH, this.#worth + 1)
    else if (this.#worth === 0 && ++this.#inputs % TRY_EVERY !== 0) return
    this.#until = nowMs + SPIN_MS
    if (this.#spinning) return
    this.#spinning = true
    this.#clock.defer(this.#turn)
  }
}
