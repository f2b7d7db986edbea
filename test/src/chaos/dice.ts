// Chance that can be repeated: everything that a round does at random is drawn from one seed, which the report names.

/** Mixes numbers into one of 32 bits; neighbours give values that have nothing to do with each other (the finalizer of MurmurHash3). */
export function mix(...numbers: readonly number[]): number {
  let hash = 0x2545f491
  for (const number of numbers) {
    hash = Math.imul(hash ^ number, 0x85ebca6b)
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
    hash ^= hash >>> 16
  }
  return hash >>> 0
}

export class Dice {
  #state: number

  /** The same numbers give the same dice. */
  constructor(...seeds: readonly number[]) {
    this.#state = mix(...seeds) || 1
  }

  /** 0 up to, but not including, 1; xorshift32. */
  fraction(): number {
    this.#state ^= this.#state << 13
    this.#state ^= this.#state >>> 17
    this.#state ^= this.#state << 5
    return (this.#state >>> 0) / 2 ** 32
  }

  /** A whole number from 0 to `limit` - 1. */
  below(limit: number): number {
    return Math.floor(this.fraction() * limit)
  }

  /** A whole number from `least` to `most`. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1)
  }

  chance(probability: number): boolean {
    return this.fraction() < probability
  }

  pick<T>(choices: readonly T[]): T {
    if (choices.length === 0) throw new RangeError('there is nothing to pick from')
    return choices[this.below(choices.length)] as T
  }

  /** Dice of their own, so that who throws first does not matter. */
  fork(): Dice {
    return new Dice(this.below(2 ** 32))
  }

  /** A key, as often as its weight says. */
  weighted<K extends string>(weights: Readonly<Partial<Record<K, number>>>): K {
    const entries = Object.entries(weights) as [K, number][]
    let left = this.fraction() * entries.reduce((sum, [, weight]) => sum + weight, 0)
    for (const [key, weight] of entries) {
      left -= weight
      if (left < 0) return key
    }
    throw new RangeError('no weight is positive')
  }
}
