// What the commands of third-party copy come to once their parameter lists are read: plain values, for whoever does the input and output.

import type { RodToken } from './rod-token.js'

/** Blocks of one logical unit, at least one. */
export interface BlockRange {
  readonly lba: number
  readonly blocks: number
}

/** CSCD descriptor: one unit that a copy reads from or writes to. `at`: its place in the parameter list, for field pointers. */
export interface CscdDescriptor {
  readonly at: number
  /** The obsolete NUL bit: it stands for no unit at all. */
  readonly nul: boolean
  readonly peripheralDeviceType: number
  /** A designation descriptor as VPD page 83h has it. */
  readonly designation: Buffer
  /** Bytes in a logical block as the initiator believes, 0 when it does not say. */
  readonly blockBytes: number
}

/** Segment descriptor 02h: from blocks to blocks. `source` and `destination` are CSCD descriptor identifiers. */
export interface BlockSegment {
  readonly source: number
  readonly destination: number
  /** In blocks of the destination when `countsDestination` (DC), else of the source; 0 is allowed. */
  readonly blocks: number
  readonly countsDestination: boolean
  readonly sourceLba: number
  readonly destinationLba: number
}

/** `listIdentifier` undefined: the initiator wants none. `listBytes`: length of the parameter list that came. */
interface Listed {
  readonly listIdentifier: number | undefined
  readonly listBytes: number
}

export interface ExtendedCopy extends Listed {
  readonly kind: 'extendedCopy'
  readonly immediate: false
  readonly units: readonly CscdDescriptor[]
  readonly segments: readonly BlockSegment[]
}

export interface PopulateToken extends Listed {
  readonly kind: 'populateToken'
  readonly listIdentifier: number
  /** GOOD goes out before the work is done. */
  readonly immediate: boolean
  readonly inactivityTimeoutS: number
  readonly ranges: readonly BlockRange[]
  readonly totalBlocks: number
}

export interface WriteUsingToken extends Listed {
  readonly kind: 'writeUsingToken'
  readonly listIdentifier: number
  readonly immediate: boolean
  /** The token is not needed any more afterwards. */
  readonly deleteToken: boolean
  readonly token: RodToken
  /** Where in what the token stands for, in blocks of the destination. */
  readonly offsetBlocks: number
  readonly ranges: readonly BlockRange[]
  readonly totalBlocks: number
}

export type CopyJob = ExtendedCopy | PopulateToken | WriteUsingToken

/** The CSCD descriptor identifier of the unit that the command was sent to [SPC-4 §6.4.5.1]. */
export const THIS_UNIT = 0xffff
