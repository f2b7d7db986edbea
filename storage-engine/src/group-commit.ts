/**
 * Flushes of one volume, shared: whoever asks while a run is under way gets the next run, together with all others who
 * ask meanwhile. A run that had begun before the request does not count for it.
 */
export class GroupCommit {
  readonly #run: () => Promise<void>
  /** Settles, without an error, when all that was begun or queued has ended. */
  #tail: Promise<void> = Promise.resolve()
  #next: Promise<void> | undefined

  /** `run` does one flush; runs never overlap. */
  constructor(run: () => Promise<void>) {
    this.#run = run
  }

  /** Settles as the run does that began after this call. */
  request(): Promise<void> {
    this.#next ??= this.between(() => {
      this.#next = undefined
      return this.#run()
    })
    return this.#next
  }

  /** Runs `action` after the runs that were asked for, and before those that will be. */
  between<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(action)
    const ended = () => undefined
    this.#tail = result.then(ended, ended)
    return result
  }
}
