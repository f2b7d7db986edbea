// Verified load of one session, of our own initiator: what was written is read back, at several places at a time, and how long the longest answer took is kept.

import type { Initiator } from '@scsipub/testkit'
import { BLOCK, content } from '../protocol/lab.js'

const BLOCKS = 16
const PLACES = 64
/** No answer of a disk in use may take longer. */
export const LONGEST_STALL_MS = 5_000

export interface LoadReport {
  readonly rounds: number
  readonly longestMs: number
}

/** Writes and reads `depth` places at a time, from block `first` on, until `stop`. @throws Error at the first difference or failure */
export async function verifiedLoad(
  disk: Initiator,
  { first = 0, depth = 4, stop }: { first?: number; depth?: number; stop: () => boolean },
): Promise<LoadReport> {
  let rounds = 0
  let longestMs = 0
  const work = async (worker: number) => {
    for (let round = 0; !stop(); round++) {
      const lba = first + (worker * PLACES + (round % PLACES)) * BLOCKS
      const data = content(BLOCKS * BLOCK, worker * 100_003 + round)
      const began = performance.now()
      await disk.write(lba, data)
      const back = await disk.read(lba, BLOCKS)
      longestMs = Math.max(longestMs, performance.now() - began)
      if (!back.equals(data)) throw new Error(`what was written at block ${lba} in round ${round} is not read back`)
      rounds++
    }
  }
  await Promise.all(Array.from({ length: depth }, (_, worker) => work(worker)))
  return { rounds, longestMs }
}
