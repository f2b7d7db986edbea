// What a CDB comes to, as a value. The caller does the input and output; nothing here touches a medium or a wire.
//
// `status` and `dataIn` are finished. The others name work: the caller does it and answers GOOD, or CHECK CONDITION with a
// condition of the catalogue (unrecoveredReadError, writeError, spaceAllocationFailed, miscompareDuringVerify, …).

import type { CopyJob } from './copy/copy-job.js'
import type { LogicalUnit } from './logical-unit.js'
import type { ProvisionOperation } from './provision-operation.js'
import type { ReservationReport } from './reservations/persistent-reserve-in-data.js'
import type { ReservationAction } from './reservations/reservation-action.js'
import type { FieldPointer, Sense } from './sense.js'
import type { SenseCode } from './sense-codes.js'
import { senseCodes } from './sense-codes.js'
import { status } from './status.js'
import type { UnitAttention } from './unit-attention.js'

/** What a command does to the state of the unit that all of its nexuses share. */
export type UnitChange =
  /** Reserve the unit for this nexus, or give that up. */
  | { readonly name: 'reserve' }
  | { readonly name: 'release' }
  /** New mode parameters, all of them. */
  | { readonly name: 'setMode'; readonly softwareWriteProtect: boolean; readonly descriptorSense: boolean }
  /** Prevent the removal of the medium, or allow it again. */
  | { readonly name: 'prevent'; readonly prevented: boolean }

export type Outcome =
  /** Ended without data. `sense` goes with CHECK CONDITION only. */
  | { readonly kind: 'status'; readonly status: number; readonly sense?: Sense }
  /** Parameter data, already cut to the allocation length; status GOOD. `clears`: a condition that is thereby gone on every LUN of the I_T nexus. */
  | { readonly kind: 'dataIn'; readonly data: Buffer; readonly clears?: UnitAttention }
  /** Read `blocks` ≥ 1 blocks; with `fua`, not from a volatile cache that the medium does not match. */
  | { readonly kind: 'read'; readonly lba: number; readonly blocks: number; readonly fua: boolean }
  /** Write `blocks` ≥ 1 blocks; with `fua`, GOOD only once they are on stable storage. */
  | { readonly kind: 'write'; readonly lba: number; readonly blocks: number; readonly fua: boolean }
  /**
   * Read back `blocks` ≥ 1 blocks. `byteCheck` 0: they need only be readable; 1: equal to as much data from the initiator;
   * 3: each equal to one block from the initiator. INFORMATION of a miscompare is the offset of the first differing byte in the data.
   */
  | { readonly kind: 'verify'; readonly lba: number; readonly blocks: number; readonly byteCheck: 0 | 1 | 3 }
  /** Write `blocks` ≥ 1 blocks durably, then read them back; with `byteCheck` 1, compare them with what was written. */
  | { readonly kind: 'writeAndVerify'; readonly lba: number; readonly blocks: number; readonly byteCheck: 0 | 1 }
  /**
   * With no other command on the medium in between, and with `fua` durably: `orWrite` ORs the data to `blocks` ≥ 1 blocks; `writeAtomic` writes them,
   * all or none; `compareAndWrite` (`blocks` ≥ 0) writes the second half of the data if the first one is what is there, else ends with a miscompare.
   * The last two do nothing with less data than that, and end with 5/24/00 and `lengthField`; `compareAndWrite` with more neither.
   */
  | {
      readonly kind: 'exclusive'
      readonly operation: 'compareAndWrite' | 'orWrite' | 'writeAtomic'
      readonly lba: number
      readonly blocks: number
      readonly fua: boolean
      readonly lengthField: FieldPointer
    }
  /** Bring `blocks` ≥ 1 blocks into the cache; CONDITION MET when `fits`, else GOOD, and with `immediate` maybe before. */
  | {
      readonly kind: 'preFetch'
      readonly lba: number
      readonly blocks: number
      readonly fits: boolean
      readonly immediate: boolean
    }
  /** Make `blocks` blocks from `lba` durable (blocks may be 0 at the very end); with `immediate`, GOOD may go out first. */
  | { readonly kind: 'flush'; readonly lba: number; readonly blocks: number; readonly immediate: boolean }
  /** Load or eject the medium of a removable unit; with `flush`, make everything durable first. */
  | { readonly kind: 'medium'; readonly action: 'load' | 'eject'; readonly flush: boolean; readonly immediate: boolean }
  /** Change or tell which blocks the unit holds. What it needs of the initiator has been fetched. */
  | { readonly kind: 'provision'; readonly operation: ProvisionOperation }
  /** Change the state that all nexuses of the unit share, and answer when they know; the caller refuses what others hold. */
  | { readonly kind: 'unit'; readonly change: UnitChange }
  /** Fetch `lengthBytes` of parameter list from the initiator and go on with what `apply` says of it. */
  | { readonly kind: 'parameterOut'; readonly lengthBytes: number; apply(data: Buffer): Outcome }
  /**
   * PERSISTENT RESERVE OUT, whose parameter list has come: `reduceReservations` says what it does. `nodes`: iSCSI names of nodes, all of whose ports
   * that are known belong to `others` of the action, which is REGISTER.
   */
  | { readonly kind: 'reserveOut'; readonly action: ReservationAction; readonly nodes?: readonly string[] }
  /** PERSISTENT RESERVE IN: `persistentReserveInData` makes the data, to be cut to `allocationLength`. */
  | { readonly kind: 'reserveIn'; readonly what: ReservationReport; readonly allocationLength: number }
  /** Copy between units, or to or from a token; the parameter list has come. */
  | { readonly kind: 'copy'; readonly job: CopyJob }
  /** Tell of a copy of this nexus by its list identifier; 5/24/00 at `field` when there was none. */
  | {
      readonly kind: 'copyResults'
      readonly what: 'status' | 'failure' | 'token'
      readonly listIdentifier: number
      readonly allocationLength: number
      readonly field: FieldPointer
    }

/** GOOD, without data. */
export const good: Outcome = Object.freeze({ kind: 'status', status: status.good })

/** CONDITION MET, of a PRE-FETCH whose blocks are in the cache. */
export const conditionMet: Outcome = Object.freeze({ kind: 'status', status: status.conditionMet })

/** CHECK CONDITION with sense. */
export function checkCondition(
  code: SenseCode,
  particulars: { information?: bigint; field?: FieldPointer } = {},
): Outcome {
  return { kind: 'status', status: status.checkCondition, sense: { code, ...particulars } }
}

/** 5/24/00 that points at the field. */
export function invalidFieldInCdb(field: FieldPointer): Outcome {
  return checkCondition(senseCodes.invalidFieldInCdb, { field })
}

/**
 * Parameter data cut to the ALLOCATION LENGTH; cutting is never an error, and length fields in the data are not adjusted
 * [SPC-4 §4.2.5.6].
 */
export function dataIn(data: Buffer, allocationLength: number): Extract<Outcome, { kind: 'dataIn' }> {
  return { kind: 'dataIn', data: data.length > allocationLength ? data.subarray(0, allocationLength) : data }
}

/** Which way data goes on the wire for an outcome. */
export function transferDirection(outcome: Outcome): 'in' | 'out' | 'none' {
  switch (outcome.kind) {
    case 'read':
    case 'dataIn':
    case 'copyResults':
    case 'reserveIn':
      return 'in'
    case 'write':
    case 'writeAndVerify':
    case 'exclusive':
    case 'parameterOut':
      return 'out'
    case 'verify':
      return outcome.byteCheck === 0 ? 'none' : 'out'
    case 'status':
    case 'preFetch':
    case 'flush':
    case 'medium':
    case 'copy':
    case 'provision':
    case 'unit':
    case 'reserveOut':
      return 'none'
  }
}

/**
 * Bytes that an outcome moves over the wire, in the direction that `transferDirection` names; at most, for results of copies. `lu` gives the block
 * size.
 */
export function transferLengthBytes(outcome: Outcome, lu: LogicalUnit | undefined): number {
  const blockBytes = lu?.blockBytes ?? 0
  switch (outcome.kind) {
    case 'read':
    case 'write':
    case 'writeAndVerify':
      return outcome.blocks * blockBytes
    case 'exclusive':
      return outcome.blocks * blockBytes * (outcome.operation === 'compareAndWrite' ? 2 : 1)
    case 'verify':
      return outcome.byteCheck === 0 ? 0 : outcome.byteCheck === 3 ? blockBytes : outcome.blocks * blockBytes
    case 'dataIn':
      return outcome.data.length
    case 'parameterOut':
      return outcome.lengthBytes
    case 'status':
    case 'preFetch':
    case 'flush':
    case 'medium':
    case 'copy':
    case 'provision':
    case 'unit':
    case 'reserveOut':
      return 0
    case 'copyResults':
    case 'reserveIn':
      return outcome.allocationLength
  }
}
