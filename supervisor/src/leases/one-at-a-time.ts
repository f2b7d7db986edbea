/** What is done with one thing is done one after the other, in the order of asking; with different things at the same time. */

export class OneAtATime {
  readonly #turns = new Map<string, Promise<unknown>>()

  /** Things that something is being done with. */
  get size(): number {
    return this.#turns.size
  }

  /** Runs `action` when all that was asked before with this key has ended, well or not; settles as the action does. */
  run<T>(key: string, action: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(key) ?? Promise.resolve()
    const turn = before.then(action, action)
    this.#turns.set(key, turn)
    const done = () => {
      if (this.#turns.get(key) === turn) this.#turns.delete(key)
    }
    turn.then(done, done)
    return turn
  }

  /** Settles when nothing is being done. */
  async idle(): Promise<void> {
    while (this.#turns.size > 0) await Promise.allSettled(this.#turns.values())
  }
}
