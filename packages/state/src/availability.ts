/**
 * Whether a store can be used, and who wants to know. Each change is told once, with the reason of that moment; a reason that a person has to mend is
 * told even when the store was out already, once.
 */

type Listener = (available: boolean, why: string) => void

export class Availability {
  readonly #listeners = new Set<Listener>()
  #available: boolean
  #why: string
  #told: string

  constructor(available: boolean, why: string) {
    this.#available = available
    this.#why = why
    this.#told = why
  }

  get available(): boolean {
    return this.#available
  }

  /** Why it is as it is. */
  get why(): string {
    return this.#why
  }

  /** Calls the listener soon when the store is out already. */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener)
    queueMicrotask(() => {
      if (!this.#available && this.#listeners.has(listener)) listener(false, this.#why)
    })
    return () => this.#listeners.delete(listener)
  }

  /** From now on it is out, and nobody is told. */
  close(): void {
    this.#available = false
    this.#why = 'the store is closed'
    this.#listeners.clear()
  }

  /** Says how it is now. `person`: the reason does not go away by itself. */
  set(available: boolean, why: string, { person = false } = {}): void {
    this.#why = why
    if (available === this.#available && !(person && why !== this.#told)) return
    this.#available = available
    this.#told = why
    for (const listener of this.#listeners) listener(available, why)
  }
}
