/** What is done with one thing is done one after the other, in the order of asking; with different things at the same time. */

/** See `OneAtATime.hold`. */
export interface Hold {
  /** Resolves when nothing is being done. */
  quiet(): Promise<void>
  letGo(): void
}

export class OneAtATime {
  readonly #turns = new Map<string, Promise<unknown>>()
  #underWay = 0
  #held: Promise<void> | undefined
  #quiet: (() => void) | undefined

  /** Things that something is being done with. */
  get size(): number {
    return this.#turns.size
  }

  /** Runs `action` when all that was asked before with this key has ended, well or not; settles as the action does. One that `passes` begins also while others are held. */
  run<T>(key: string, action: () => Promise<T>, { passes = false } = {}): Promise<T> {
    const before = this.#turns.get(key) ?? Promise.resolve()
    const begin = () => this.#begin(action, passes)
    const turn = before.then(begin, begin)
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

  /** Begins nothing any more but what passes, until `letGo`. */
  hold(): Hold {
    let settle = () => {}
    this.#held = new Promise(resolve => {
      settle = resolve
    })
    const quiet = () =>
      this.#underWay === 0 ? Promise.resolve() : new Promise<void>(resolve => (this.#quiet = resolve))
    const letGo = () => {
      this.#held = undefined
      settle()
    }
    return { quiet, letGo }
  }

  async #begin<T>(action: () => Promise<T>, passes: boolean): Promise<T> {
    while (this.#held !== undefined && !passes) await this.#held
    this.#underWay++
    try {
      return await action()
    } finally {
      this.#underWay--
      if (this.#underWay === 0) this.#quiet?.()
    }
  }
}
