// The table that is printed, in the form of Markdown: the one of docs/performance.md comes from here.

import { type Comparison, compare, type Rounds } from './statistics.js'

const NAME_WIDTH = 51
const WIDTHS = [9, 9, 7, 8, 14, 12]

/** First lines of a table that compares `ours` with `theirs`, in requests a second. */
export function heading(ours: string, theirs: string): string {
  const titles = [ours, theirs, 'medians', 'pairwise', 'lowest–highest', 'goal']
  return [
    line('requests/s', titles),
    line(
      '---',
      WIDTHS.map(() => '---:'),
    ),
  ].join('\n')
}

/** One line: medians of both, their ratio, the median of the pairwise ratios, the extremes of those, the goal. */
export function row(name: string, rounds: Rounds, goal: number | undefined): string {
  const result = compare(rounds)
  const [lowest, highest] = result.ratios
  return line(name, [
    thousands(result.ours),
    thousands(result.theirs),
    `${result.ratioOfMedians.toFixed(2)}×`,
    `${result.medianOfRatios.toFixed(2)}×`,
    `${lowest.toFixed(2)}–${highest.toFixed(2)}`,
    verdict(result, goal),
  ])
}

function verdict({ medianOfRatios }: Comparison, goal: number | undefined): string {
  if (goal === undefined) return ''
  return `${medianOfRatios >= goal ? 'met' : 'MISSED'} ${goal}×`
}

/** A number as people read it: 12,345. */
export function thousands(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

function line(name: string, cells: readonly string[]): string {
  const padded = cells.map((cell, index) => cell.padStart(WIDTHS[index] ?? 0))
  return `| ${[name.padEnd(NAME_WIDTH), ...padded].join(' | ')} |`
}
