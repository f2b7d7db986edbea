// How a round that found something wrong says so: with all that is needed to see it again.

export class ChaosFault extends Error {
  constructor(round: string, faults: readonly string[], kept: string) {
    super(`${round}\n  ${faults.join('\n  ')}\n  what was found is kept in ${kept}`)
    this.name = 'ChaosFault'
  }
}

/** What a run came to. */
export interface ChaosResult {
  readonly rounds: number
  /** By what was counted. */
  readonly figures: Readonly<Record<string, number>>
}

export interface RoundsOptions {
  readonly rounds: number
  readonly seed: number
  /** An existing folder for what the rounds need; what a fault needs is left there. */
  readonly scratch: string
  /** Takes a line for each round. */
  readonly progress?: (line: string) => void
}
