/**
 * Target session identifying handles [7143 §3.4.3, §11.12.6]: 1 to 65535, unique among live sessions, never 0. They are
 * handed out round and round, so that one which has just ended means nothing for as long as possible.
 */

const MAX_TSIH = 0xffff

export class TsihAllocator {
  readonly #live = new Set<number>()
  #last = 0

  /** A handle that no live session has; undefined when all 65535 are taken. */
  allocate(): number | undefined {
    if (this.#live.size === MAX_TSIH) return undefined
    do this.#last = (this.#last % MAX_TSIH) + 1
    while (this.#live.has(this.#last))
    this.#live.add(this.#last)
    return this.#last
  }

  /** Gives a handle back; its session has ended. */
  release(tsih: number): void {
    this.#live.delete(tsih)
  }

  /** The handle that was handed out last. */
  get last(): number {
    return this.#last
  }

  /** Goes on behind `last`, with handles that are taken. */
  restore(last: number, live: Iterable<number>): void {
    this.#last = last
    for (const tsih of live) this.#live.add(tsih)
  }

  get size(): number {
    return this.#live.size
  }
}
