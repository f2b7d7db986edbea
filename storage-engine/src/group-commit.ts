/**
 * Flushes of one volume, shared: whoever asks while a run is under way gets the next run, together with all others who
 * ask meanwhile. A run that had begun before the request does not count for it.
 */
export class GroupCommit {
  readonly #run: () => Promise<void>
  #last: Promise<void> = Promise.resolve()
  #next: Promise<void> | undefined

  /** `run` does one flush; runs never overlap. */
  constructor(run: () => Promise<void>) {
    this.#run = run
  }

  /** Settles as the run does that began after this call. */
  request(): Promise<void> {
    this.#next ??= this.#begin(this.#last)
    return this.#next
  }

  async #begin(previous: Promise<void>): Promise<void> {
    await previous
    this.#next = undefined
    const run = this.#run()
    this.#last = run.catch(() => undefined)
    return run
  }
}
