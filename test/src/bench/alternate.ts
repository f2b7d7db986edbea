// Rounds that alternate between two units: A B A B …, so that whatever the machine does meanwhile befalls both.

import { type Load, Meter } from './load.js'
import type { Rounds } from './statistics.js'

export interface Extent {
  readonly rounds: number
  readonly seconds: number
  readonly diskBytes: number
}

/** Something that goes on while a load runs on our unit, its end included. */
export type Meanwhile = <T>(run: () => Promise<T>) => Promise<T>

/** Runs a load on both units in turn, after a warm-up of both. Rates are in requests a second. */
export async function alternate(
  load: Load,
  urls: { ours: string; theirs: string },
  extent: Extent,
  meanwhile: Meanwhile = run => run(),
): Promise<Rounds> {
  const our = new Meter(load, urls.ours, extent.diskBytes)
  const their = new Meter(load, urls.theirs, extent.diskBytes)
  await our.warmUp(meanwhile)
  await their.warmUp()
  const ours: number[] = []
  const theirs: number[] = []
  for (let round = 0; round < extent.rounds; round++) {
    ours.push(await meanwhile(() => our.measure(extent.seconds)))
    theirs.push(await their.measure(extent.seconds))
  }
  return { ours, theirs }
}
