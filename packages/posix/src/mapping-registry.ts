/**
 * The mappings of one thread, written down in shared memory: a thread that is terminated leaves its mappings behind, and whoever outlives it can end them by this. What a
 * thread dies on the way to writing down stays mapped.
 *
 *   pairs of doubles: address and length in bytes; 0 and 0 where there is nothing
 */

/** More volumes than a thread has open at one time; what does not fit is not written down. */
const MAX_MAPPINGS = 16_384

export class MappingRegistry {
  readonly shared: SharedArrayBuffer
  readonly #pairs: Float64Array
  #next = 0

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(MAX_MAPPINGS * 16)) {
    this.shared = shared
    this.#pairs = new Float64Array(shared)
  }

  /** Writes a mapping down and returns its place, or undefined when there is no room. */
  add(address: number, lengthBytes: number): number | undefined {
    for (let tried = 0; tried < MAX_MAPPINGS; tried++) {
      const place = this.#next
      this.#next = (place + 1) % MAX_MAPPINGS
      if (this.#pairs[2 * place] !== 0) continue
      this.#pairs[2 * place + 1] = lengthBytes
      this.#pairs[2 * place] = address
      return place
    }
    return undefined
  }

  /** To be called before the mapping ends: what was at its address must not be ended twice. */
  remove(place: number): void {
    this.#pairs[2 * place] = 0
  }

  /** What is written down, and from now on is not any more. */
  takeAll(): { address: number; lengthBytes: number }[] {
    const all: { address: number; lengthBytes: number }[] = []
    for (let place = 0; place < MAX_MAPPINGS; place++) {
      const address = this.#pairs[2 * place] ?? 0
      if (address === 0) continue
      this.#pairs[2 * place] = 0
      all.push({ address, lengthBytes: this.#pairs[2 * place + 1] ?? 0 })
    }
    return all
  }
}
