// Verified load of one session, of our own initiator: what was written is read back, at several places at a time, and how long the longest answer took is kept.

import type { Initiator } from '@scsipub/testkit'
import { Starvation } from '../harness/starvation.js'
import type { UpgradableServer } from '../harness/upgradable-server.js'
import { BLOCK, content } from '../protocol/lab.js'

const BLOCKS = 16
const PLACES = 64
/** No answer of a disk in use may take longer. */
export const LONGEST_STALL_MS = 5_000

export interface LoadReport {
  readonly rounds: number
  /** Less the time in which the machine let the server or the test wait. */
  readonly longestMs: number
}

export interface LoadOptions {
  readonly first?: number
  readonly depth?: number
  readonly rounds?: number
  /** Of the server and the test; where the longest answer is to be judged. */
  readonly starvation?: Starvation
  readonly stop: () => boolean
}

/** Writes and reads `depth` places at a time, from block `first` on, until `stop`, and until there were `rounds` at least. @throws Error at the first difference or failure */
export async function verifiedLoad(
  disk: Initiator,
  { first = 0, depth = 4, rounds: least = 0, starvation, stop }: LoadOptions,
): Promise<LoadReport> {
  let rounds = 0
  let longestMs = 0
  const work = async (worker: number) => {
    for (let round = 0; !stop() || rounds < least; round++) {
      const lba = first + (worker * PLACES + (round % PLACES)) * BLOCKS
      const data = content(BLOCKS * BLOCK, worker * 100_003 + round)
      const [began, starved] = [performance.now(), starvation?.ms ?? 0]
      await disk.write(lba, data)
      const back = await disk.read(lba, BLOCKS)
      longestMs = Math.max(longestMs, performance.now() - began - ((starvation?.ms ?? 0) - starved))
      if (!back.equals(data)) throw new Error(`what was written at block ${lba} in round ${round} is not read back`)
      rounds++
    }
  }
  await Promise.all(Array.from({ length: depth }, (_, worker) => work(worker)))
  return { rounds, longestMs }
}

/** That of all processes of the server, and of this one. */
export function starvationOf(server: UpgradableServer): Starvation {
  const pids = () => new Set(server.log.flatMap(({ pid }) => (typeof pid === 'number' ? [pid] : [])))
  return new Starvation(() => [process.pid, ...pids()])
}
