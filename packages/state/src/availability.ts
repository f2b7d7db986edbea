/** Whether a store can be used, and who wants to know: each change is told once, with the reason of that moment. */

type Listener = (available: boolean, why: string) => void

export class Availability {
  readonly #listeners = new Set<Listener>()
  #available: boolean
  #why: string

  constructor(available: boolean, why: string) {
    this.#available = available
    this.#why = why
  }

  get available(): boolean {
    return this.#available
  }

  /** Why it is as it is. */
  get why(): string {
    return this.#why
  }

  listen(listener: Listener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Says how it is now; only a change of `available` is told. */
  set(available: boolean, why: string): void {
    this.#why = why
    if (available === this.#available) return
    this.#available = available
    for (const listener of this.#listeners) listener(available, why)
  }
}
