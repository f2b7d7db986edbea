// What can be said on the command line of the chaos runs.

import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'

const USAGE = `npm run chaos -- [kill|power] [options]   without a name: both kinds
  --rounds N     rounds of each kind; 200 unless told
  --seed N       repeat the choices of a run that printed this seed
  --verbose      a line for each round`

const KINDS = ['kill', 'power'] as const
export type ChaosKind = (typeof KINDS)[number]

export interface ChaosOptions {
  readonly kinds: readonly ChaosKind[]
  readonly rounds: number
  readonly seed: number
  readonly verbose: boolean
}

/** @throws Error with the usage, when the arguments are wrong */
export function readOptions(args: readonly string[]): ChaosOptions {
  const { values, positionals } = parse(args)
  const rounds = Number(values.rounds ?? 200)
  const seed = Number(values.seed ?? randomInt(2 ** 31))
  const kinds = positionals.length > 0 ? KINDS.filter(kind => positionals.includes(kind)) : KINDS
  const known = positionals.every(name => KINDS.some(kind => kind === name))
  if (!known || !Number.isInteger(rounds) || rounds < 1 || !Number.isInteger(seed) || seed < 0) throw new Error(USAGE)
  return { kinds, rounds, seed, verbose: values.verbose ?? false }
}

function parse(args: readonly string[]) {
  const text = { type: 'string' } as const
  try {
    return parseArgs({
      args: [...args],
      options: { rounds: text, seed: text, verbose: { type: 'boolean' } },
      allowPositionals: true,
    })
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${USAGE}`)
  }
}
