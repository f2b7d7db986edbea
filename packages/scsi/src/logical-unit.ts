// What a command may know: the logical unit, the target it belongs to, and the nexus it came through.
//
// Plain facts, owned and kept current by the caller; this package only reads them, except for the unit attentions of the
// nexus, which are taken off the queue as they are reported.

import type { UnitAttention } from './unit-attention.js'

/** A sanitize operation that is under way or has failed. `progress`: in 65536ths [SBC-3 §4.11]. */
export interface SanitizeState {
  readonly state: 'inProgress' | 'failed'
  readonly progress: number
}

/** Blocks that count against what the unit may hold, and those that it may still take. */
export interface Provisioning {
  readonly usedBlocks: number
  readonly availableBlocks: number
}

/** A direct-access logical unit [SBC-3]. All of it is stable over its life but `readOnly` and what comes from `sanitize` on. */
export interface LogicalUnit {
  /** Capacity in logical blocks: 1 to 2^53. */
  readonly sizeBlocks: number
  /** Bytes in a logical block: 512 or 4096. */
  readonly blockBytes: number
  /** Bytes in a physical block, `blockBytes` times a power of two; absent means `blockBytes`. */
  readonly physicalBlockBytes?: number
  readonly identity: {
    /** NAA IEEE Registered Extended designator: 32 hexadecimal digits, the first one 6. */
    readonly naa: string
    /** Unit serial number: 1 to 36 printable ASCII characters. */
    readonly serial: string
  }
  /** PRODUCT IDENTIFICATION: ASCII, padded or cut to 16 characters. */
  readonly product: string
  /** By its nature, or by SWP. What changes the medium ends with 7/27/00. */
  readonly readOnly: boolean
  readonly removable: boolean
  /** Whether blocks can be given back (UNMAP and its kin); false on a fully provisioned unit. */
  readonly thin: boolean
  /** Most blocks that one READ, WRITE or VERIFY may name. */
  readonly maxTransferBlocks: number
  /** Undefined while nothing of the kind is to be told. Asked for every command. */
  readonly sanitize: SanitizeState | undefined
  readonly provisioning: Provisioning
  /** Whether a removable medium is loaded; absent means yes. */
  readonly mediumPresent?: boolean
  /** SWP of the control mode page; `readOnly` is then true as well. Absent means no. */
  readonly softwareWriteProtect?: boolean
  /** D_SENSE of the control mode page: sense in descriptor format. Absent means no. */
  readonly descriptorSense?: boolean
}

/** One I_T_L nexus. Owned by the caller, changed by `dispatch`. */
export interface Nexus {
  /** Pending conditions, first to be reported first; kept by the functions of unit-attention.ts. */
  readonly unitAttentions: UnitAttention[]
}

/** The SCSI target device and the port that the command came in by. */
export interface Target {
  /** The iSCSI name: SCSI device name, and part of the port name [SAM-5 annex A]. */
  readonly name: string
  /** Tells the ports of the target apart: 0 to 65535. */
  readonly portalGroupTag: number
  /** LUNs that this nexus may see, ascending, without the well known one. */
  readonly luns: readonly number[]
}

/** Everything around a CDB. `lun` is what `decodeLun` gave; `lu` is undefined when no such unit exists or it is a well known one. */
export interface Context {
  readonly lu: LogicalUnit | undefined
  readonly lun: number
  readonly target: Target
  readonly nexus: Nexus
}

/** Logical blocks in a physical one. */
export function blocksPerPhysicalBlock({ blockBytes, physicalBlockBytes = blockBytes }: LogicalUnit): number {
  return physicalBlockBytes / blockBytes
}

/** Whether blocks can be accessed at all. */
export function hasMedium(lu: LogicalUnit): boolean {
  return lu.mediumPresent !== false
}
