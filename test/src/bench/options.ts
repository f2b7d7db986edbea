// What can be said on the command line of a benchmark.

import { parseArgs } from 'node:util'
import type { Extent } from './alternate.js'

const GIBIBYTE = 2 ** 30
const FULL: Extent = { rounds: 7, seconds: 3, diskBytes: GIBIBYTE }
const QUICK: Extent = { rounds: 3, seconds: 1, diskBytes: GIBIBYTE / 4 }

const USAGE = `npm run bench -- [mixes|bitmap|sessions|reservations|leases|hand-over|upgrade] [options]   without a name: mixes and bitmap
  --quick          3 rounds of 1 s, disks of 256 MiB, instead of 7 of 3 s and 1 GiB
  --rounds N       rounds of each side
  --seconds N      length of a round
  --only TEXT      only mixes whose name contains TEXT`

export interface Options {
  readonly parts: readonly string[]
  readonly extent: Extent
  readonly only: string
}

const PARTS = ['mixes', 'bitmap', 'sessions', 'reservations', 'leases', 'hand-over', 'upgrade']

/** @throws Error with the usage, when the arguments are wrong */
export function readOptions(args: readonly string[]): Options {
  const { values, positionals } = parse(args)
  const base = values.quick ? QUICK : FULL
  const rounds = Number(values.rounds ?? base.rounds)
  const seconds = Number(values.seconds ?? base.seconds)
  if (!Number.isInteger(rounds) || rounds < 1 || !(seconds >= 1)) throw new Error(USAGE)
  if (!positionals.every(name => PARTS.includes(name))) throw new Error(USAGE)
  const parts = positionals.length > 0 ? positionals : ['mixes', 'bitmap']
  return { parts, extent: { ...base, rounds, seconds }, only: values.only ?? '' }
}

function parse(args: readonly string[]) {
  const text = { type: 'string' } as const
  const options = { quick: { type: 'boolean' }, rounds: text, seconds: text, only: text } as const
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true })
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${USAGE}`)
  }
}
