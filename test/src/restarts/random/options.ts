// What can be said on the command line of a run.

import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'

const USAGE = `npm run restarts -- [options]
  --minutes N    how long everything is restarted; 5 unless told
  --seed N       repeat the choices of a run that printed this seed
  --guest        beside the other initiators a Linux machine, with a verified load on an ext4
  --planned      only what no initiator may notice: no session worker dies
  --verbose      a line for each thing that is done`

export interface RestartsOptions {
  readonly minutes: number
  readonly seed: number
  readonly guest: boolean
  readonly planned: boolean
  readonly verbose: boolean
}

/** @throws Error with the usage, when the arguments are wrong */
export function readOptions(args: readonly string[]): RestartsOptions {
  const { minutes: spelled, seed: chosen, ...flags } = parse(args)
  const minutes = Number(spelled ?? 5)
  const seed = Number(chosen ?? randomInt(2 ** 31))
  if (!(minutes > 0) || !Number.isInteger(seed) || seed < 0) throw new Error(USAGE)
  const { guest = false, planned = false, verbose = false } = flags
  return { minutes, seed, guest, planned, verbose }
}

function parse(args: readonly string[]) {
  const [text, flag] = [{ type: 'string' }, { type: 'boolean' }] as const
  const options = { minutes: text, seed: text, guest: flag, planned: flag, verbose: flag }
  try {
    return parseArgs({ args: [...args], options }).values
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${USAGE}`)
  }
}
