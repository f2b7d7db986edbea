// Places for programs that run side by side: whoever finds none free waits in line. One for each core and one more, since many tests
// mostly wait for something; a test has to hold on a busy machine anyway. No library does it: this runs before any is installed.

import { availableParallelism } from 'node:os'

let free = availableParallelism() + 1
const line = []

/**
 * Does `work` once there is a place, in the order of the calls.
 * @template T
 * @param {() => Promise<T>} work
 * @param {{ ahead?: boolean }} [options] `ahead`: before all that wait now
 * @returns {Promise<T & { seconds: number }>} what it gave, with the time that it took of its place
 */
export async function atPlace(work, { ahead = false } = {}) {
  if (free > 0) free--
  else await new Promise(resolve => (ahead ? line.unshift(resolve) : line.push(resolve)))
  const began = performance.now()
  try {
    const result = await work()
    return { ...result, seconds: (performance.now() - began) / 1000 }
  } finally {
    const next = line.shift()
    if (next) next()
    else free++
  }
}

/**
 * As `atPlace` for several, of which at most `atOnce` have a place at the same time; these go ahead of others, so that one after
 * the other gets its turn from the beginning on.
 * @template T
 * @param {(() => Promise<T>)[]} works
 * @param {number} atOnce
 * @returns {Promise<(T & { seconds: number })[]>} in the order of `works`
 */
export async function inLanes(works, atOnce) {
  const results = []
  const waiting = works.entries()
  const lane = async () => {
    for (const [index, work] of waiting) results[index] = await atPlace(work, { ahead: true })
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
  return results
}
