/** What a volume may hold in its overlay and what is booked of it, as 64-bit words of its control block. In sectors of 512 bytes; a quota of 0 means none. */
export class BookedSpace {
  readonly #longs: BigInt64Array
  readonly #allocated: number
  readonly #quota: number

  /** `allocated`, `quota`: where the two are, in words of 64 bits. */
  constructor(longs: BigInt64Array, { allocated, quota }: { allocated: number; quota: number }) {
    this.#longs = longs
    this.#allocated = allocated
    this.#quota = quota
  }

  /** Books `sectors` against the quota; false, with nothing booked, when they do not fit. */
  charge(sectors: number): boolean {
    const quota = Atomics.load(this.#longs, this.#quota)
    for (;;) {
      const before = Atomics.load(this.#longs, this.#allocated)
      const after = before + BigInt(sectors)
      if (quota !== 0n && after > quota) return false
      if (Atomics.compareExchange(this.#longs, this.#allocated, before, after) === before) return true
    }
  }

  /** Gives booked sectors back (a failed write, or a race in which another worker booked the same ones). */
  refund(sectors: number): void {
    Atomics.sub(this.#longs, this.#allocated, BigInt(sectors))
  }

  /** Sectors booked: those present in the overlay and not deallocated. */
  get allocatedSectors(): number {
    return Number(Atomics.load(this.#longs, this.#allocated))
  }

  /** Set by the engine from a count of the bitmap's bits, while nobody writes. */
  set allocatedSectors(sectors: number) {
    Atomics.store(this.#longs, this.#allocated, BigInt(sectors))
  }

  get quotaSectors(): number {
    return Number(Atomics.load(this.#longs, this.#quota))
  }

  /** Set once, when the block is made. */
  set quotaSectors(sectors: number) {
    Atomics.store(this.#longs, this.#quota, BigInt(sectors))
  }
}
