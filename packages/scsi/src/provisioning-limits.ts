// How much one command may unmap or fill. Reported in VPD page B0h and enforced by the commands that it is about [SBC-3 §6.6.4].
//
// The limits keep one command short, since the unit stands still while it is done: freeing is quick, and a WRITE SAME may write as much as a
// WRITE.

import type { LogicalUnit } from './logical-unit.js'

const MAX_UNMAP_BYTES = 2 ** 29
/** File systems free whole pages; what is not aligned is unmapped all the same, but its space comes back later. */
const GRANULARITY_BYTES = 4096

/** MAXIMUM UNMAP BLOCK DESCRIPTOR COUNT. */
export const MAX_UNMAP_DESCRIPTORS = 256

/** MAXIMUM UNMAP LBA COUNT: blocks that all descriptors of an UNMAP together may name. */
export function maxUnmapBlocks({ blockBytes }: LogicalUnit): number {
  return MAX_UNMAP_BYTES / blockBytes
}

/** MAXIMUM WRITE SAME LENGTH, in blocks. */
export function maxWriteSameBlocks({ maxTransferBlocks }: LogicalUnit): number {
  return maxTransferBlocks
}

/**
 * Whether a WRITE SAME without a length is taken as one to the end of the unit, within the limit on lengths; else WSNZ is set. Not where
 * blocks can be given back: there it is more often a mistake.
 */
export function lengthMayBeOpen({ thin }: LogicalUnit): boolean {
  return !thin
}

/** OPTIMAL UNMAP GRANULARITY: blocks in a page of the file below. */
export function unmapGranularityBlocks({ blockBytes }: LogicalUnit): number {
  return Math.max(1, GRANULARITY_BYTES / blockBytes)
}

/**
 * THRESHOLD EXPONENT: resources are counted in sets of 2^exponent blocks, the smallest sets of a page or more whose number fits 32 bits. It is
 * there for the log page; no thresholds can be set, as there is no Logical Block Provisioning mode page [SBC-3 §6.6.5].
 */
export function thresholdExponent(lu: LogicalUnit): number {
  let exponent = Math.max(1, Math.log2(unmapGranularityBlocks(lu)))
  while (lu.sizeBlocks / 2 ** exponent > 0xffff_ffff) exponent++
  return exponent
}
