// When connections may end: only where the table of failures says so [DESIGN §4]. Whoever loses one says so here.

/** A session that is not re-adopted, or a login that fails, may be noticed so much later, on a busy machine. */
const AFTERMATH_MS = 8_000
/** How it is told of an answer that came and is wrong: of a command, of a sequence of PDUs, of the rules of reservations. It is never allowed. */
const WRONG_ANSWER = /ended with|\[7143|; expected/

/** What had happened when it was noticed. */
export interface Break {
  readonly who: string
  readonly atMs: number
  readonly why: string
}

export class Breaks {
  readonly allowed: Break[] = []
  /** First fault of the run. */
  readonly failed: Promise<never>
  #fail!: (error: Error) => void
  #allowedUntil = 0
  #open = 0
  #fault: Error | undefined

  constructor() {
    this.failed = new Promise((_resolve, reject) => {
      this.#fail = reject
    })
    this.failed.catch(() => {}) // whoever races with it is told
  }

  get fault(): Error | undefined {
    return this.#fault
  }

  /** Whether a connection may end now. */
  get open(): boolean {
    return this.#open > 0 || performance.now() < this.#allowedUntil
  }

  /** Connections may end while `act` is under way, and shortly after. */
  async during<T>(act: () => Promise<T>): Promise<T> {
    this.#open++
    try {
      return await act()
    } finally {
      this.#open--
      this.#allowedUntil = performance.now() + AFTERMATH_MS
    }
  }

  /** Something that `who` had was lost, or could not be had. A fault, unless it may be now. */
  note(who: string, error: unknown): void {
    const why = error instanceof Error ? error.message : String(error)
    if (this.open && !WRONG_ANSWER.test(why)) this.allowed.push({ who, atMs: performance.now(), why })
    else this.fail(new Error(`${who}: ${why}`))
  }

  /** The run has failed. */
  fail(error: Error): void {
    this.#fault ??= error
    this.#fail(error)
  }
}
