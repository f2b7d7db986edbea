// What UNMAP, WRITE SAME, GET LBA STATUS and SANITIZE come to: work on which blocks the unit holds, for the caller to do. All numbers are
// blocks; ranges lie within the capacity.

import type { BlockRange } from './copy/copy-job.js'
import type { Outcome } from './outcome.js'

/** States of a block as GET LBA STATUS tells them [SBC-3 §5.6.2]. */
export const provisioningStatus = { mapped: 0, deallocated: 1, anchored: 2 } as const
export type ProvisioningStatus = (typeof provisioningStatus)[keyof typeof provisioningStatus]

export interface LbaStatus extends BlockRange {
  readonly status: ProvisioningStatus
}

/** How a sanitize operation makes data unreadable. `overwrite`: `passes` ≥ 1 blocks, written over the whole unit one after the other. */
export type SanitizeMethod =
  | { readonly kind: 'blockErase' }
  | { readonly kind: 'cryptographicErase' }
  | { readonly kind: 'overwrite'; readonly passes: readonly Buffer[] }

export type ProvisionOperation =
  /** Deallocate the ranges (they may overlap, and there may be none), or with `anchor` keep room for them. They read as zeros then. */
  | { readonly name: 'unmap'; readonly ranges: readonly BlockRange[]; readonly anchor: boolean }
  /** Write `block` to each of `blocks` ≥ 1 blocks; with `unmap`, deallocate (or anchor) instead if it is all zeros. */
  | ({
      readonly name: 'writeSame'
      readonly block: Buffer
      readonly unmap: boolean
      readonly anchor: boolean
    } & BlockRange)
  /** Tell the states of at most `blocks` ≥ 1 blocks from `lba`, in at most `limit` runs; `answer` makes parameter data of them. */
  | ({ readonly name: 'lbaStatus'; readonly limit: number; answer(runs: readonly LbaStatus[]): Outcome } & BlockRange)
  /** Sanitize the unit; with `immediate`, GOOD goes out once it has begun. `allowExit`: when it fails, it may be given up. */
  | {
      readonly name: 'sanitize'
      readonly method: SanitizeMethod
      readonly immediate: boolean
      readonly allowExit: boolean
    }
  /** Give up a sanitize operation that has failed, if it allowed that. */
  | { readonly name: 'exitSanitizeFailure' }
