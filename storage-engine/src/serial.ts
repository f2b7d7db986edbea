/** One action after the other, in the order of asking. */
export class Serial {
  #tail: Promise<unknown> = Promise.resolve()

  /** Settles as the action does. */
  run<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(action)
    this.#tail = result.catch(() => undefined)
    return result
  }
}
