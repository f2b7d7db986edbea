/** Restart intensity, as Erlang/OTP has it: how often something may happen within a time before it is too often. */

export interface IntensityLimits {
  /** So often is still well. */
  readonly times: number
  readonly withinMs: number
}

export class Intensity {
  readonly #limits: IntensityLimits
  readonly #now: () => number
  #at: number[] = []

  /** `agesMs`: how long ago it has happened before, as another one has told. */
  constructor(limits: IntensityLimits, now: () => number = () => performance.now(), agesMs: readonly number[] = []) {
    this.#limits = limits
    this.#now = now
    this.#at = agesMs.map(ageMs => now() - ageMs)
  }

  /** How long ago it has happened, each time that counts still or has counted last. */
  get agesMs(): number[] {
    const nowMs = this.#now()
    return this.#at.map(at => nowMs - at)
  }

  /** It has happened again; whether that is too often. */
  strike(): boolean {
    const nowMs = this.#now()
    this.#at = this.#at.filter(at => nowMs - at < this.#limits.withinMs)
    this.#at.push(nowMs)
    return this.#at.length > this.#limits.times
  }

  /** Nothing of it counts any more. */
  get isOver(): boolean {
    const nowMs = this.#now()
    return this.#at.every(at => nowMs - at >= this.#limits.withinMs)
  }
}
