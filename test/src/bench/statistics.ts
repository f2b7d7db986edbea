// What is made of the rounds of a comparison. Medians, since a round that another program of the machine disturbed would
// pull a mean; and the median of the pairwise ratios beside the ratio of the medians, since two rounds that follow each
// other had the same machine, which the first and the last round may not have had.

/** Results of rounds that alternated: `ours[i]` was measured right before `theirs[i]`. Larger is better. */
export interface Rounds {
  readonly ours: readonly number[]
  readonly theirs: readonly number[]
}

export interface Comparison {
  readonly ours: number
  readonly theirs: number
  readonly ratioOfMedians: number
  readonly medianOfRatios: number
  /** Lowest and highest pairwise ratio: how far to trust the two above. */
  readonly ratios: readonly [lowest: number, highest: number]
}

/**
 * The middle value; the mean of the two middle ones for an even count.
 * @throws RangeError for no values
 */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const upper = sorted[Math.floor(sorted.length / 2)]
  const lower = sorted[Math.floor((sorted.length - 1) / 2)]
  if (upper === undefined || lower === undefined) throw new RangeError('the median of nothing')
  return (lower + upper) / 2
}

/** @throws RangeError when there are no rounds, or one side has more than the other */
export function compare({ ours, theirs }: Rounds): Comparison {
  if (ours.length !== theirs.length) throw new RangeError(`${ours.length} rounds against ${theirs.length}`)
  const ratios = ours.map((value, round) => value / theirs[round]!)
  return {
    ours: median(ours),
    theirs: median(theirs),
    ratioOfMedians: median(ours) / median(theirs),
    medianOfRatios: median(ratios),
    ratios: [Math.min(...ratios), Math.max(...ratios)],
  }
}
