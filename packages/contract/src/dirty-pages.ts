/**
 * Bitmap pages that may differ from the durable bitmap, as bits in the control block of a volume: one for each page that a worker has changed, and one for each that a flush has taken
 * up and not brought to the disk yet. Those outlive the engine, so that the next one knows what it cannot be sure of.
 *
 * Pages are indexes, from 0.
 */
export class DirtyPages {
  readonly #words: Int32Array
  readonly #first: number
  /** Words of one bit a page. */
  readonly #size: number

  /** From the word `first` to the end: one half for what is changed, one for what is taken up. */
  constructor(words: Int32Array, first: number) {
    this.#words = words
    this.#first = first
    this.#size = (words.length - first) >>> 1
  }

  /** Words that `pages` pages need. */
  static wordsFor(pages: number): number {
    return 2 * Math.ceil(pages / 32)
  }

  /** Marks what another one has marked, of the pages that both have. */
  copy(other: DirtyPages): void {
    const size = Math.min(this.#size, other.#size)
    this.#words.set(other.#words.subarray(other.#first, other.#first + size), this.#first)
  }

  /** Says that a page may have bits that the durable bitmap does not have. */
  mark(page: number): void {
    const word = this.#first + (page >>> 5)
    const bit = 1 << (page & 31)
    if ((Atomics.load(this.#words, word) & bit) === 0) Atomics.or(this.#words, word, bit)
  }

  /** Takes all marks away, for a flush, and returns the pages that had one, ascending. They are kept aside until `flushed`. */
  take(): number[] {
    return this.#gather(this.#first, (word, bits) => {
      Atomics.or(this.#words, this.#size + word, bits)
      Atomics.and(this.#words, word, ~bits)
    })
  }

  /** What was taken up is on the disk. */
  flushed(): void {
    for (let word = this.#first + this.#size; word < this.#words.length; word++) Atomics.store(this.#words, word, 0)
  }

  /** Marks again what a flush had taken up that never ended, and returns these pages. */
  markTakenUp(): number[] {
    return this.#gather(this.#first + this.#size, (word, bits) => Atomics.or(this.#words, word - this.#size, bits))
  }

  /** The pages that are marked in the half from the word `first` on; `found` is told of each word that names some. */
  #gather(first: number, found: (word: number, bits: number) => void): number[] {
    const pages: number[] = []
    for (let word = first; word < first + this.#size; word++) {
      const bits = Atomics.load(this.#words, word)
      if (bits === 0) continue
      found(word, bits)
      for (let bit = 0; bit < 32; bit++) if (bits & (1 << bit)) pages.push((word - first) * 32 + bit)
    }
    return pages
  }
}
