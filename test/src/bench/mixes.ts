// What is compared with tgtd, and what we want. Goals hold for the median of the pairwise ratios.

import type { Load } from './load.js'

export interface Mix {
  readonly name: string
  readonly load: Load
  /** Smallest ratio that is good enough; none: for information. */
  readonly goal?: number
}

const KIBIBYTE = 1024

const reads = (kib: number, depth: number): Load => {
  return { program: 'iscsi-perf', kind: 'read', bytes: kib * KIBIBYTE, depth }
}
const writes = (kib: number, depth: number): Load => {
  return { program: 'qemu-img', kind: 'write', bytes: kib * KIBIBYTE, depth }
}

export const MIXES: readonly Mix[] = [
  { name: '4 KiB random reads, depth 32', load: reads(4, 32), goal: 3 },
  { name: '4 KiB random reads, depth 1', load: reads(4, 1), goal: 1.1 },
  { name: '4 KiB scattered writes, depth 32', load: writes(4, 32), goal: 1.5 },
  { name: '4 KiB scattered writes, depth 1', load: writes(4, 1), goal: 1 },
  { name: '64 KiB scattered writes, depth 8', load: writes(64, 8), goal: 1.5 },
  { name: '64 KiB random reads, depth 8', load: reads(64, 8) },
  { name: '256 KiB random reads, depth 8', load: reads(256, 8) },
  {
    name: '4 KiB 3 reads : 1 write, batches of 32',
    load: { program: 'qemu-io', kind: 'mixed', bytes: 4 * KIBIBYTE, depth: 32 },
  },
]

/** Of a volume with a base image, against one that is written all over. iscsi-perf reads at sectors, qemu-img at blocks. */
export const BITMAP_LOADS: readonly Load[] = [
  reads(4, 32),
  { program: 'qemu-img', kind: 'read', bytes: 4 * KIBIBYTE, depth: 32 },
]
/** At most 15 % slower. */
export const BITMAP_GOAL = 0.85
