/**
 * A SCSI command of one session while it is carried out, and the task that does so when it cannot be done at once.
 */
import type { CommandRecord, IoKind, TaskRecord } from '@scsipub/contract'
import type { Lun } from './lun.js'

export interface Command {
  readonly initiatorTaskTag: number
  /** Undefined when the LUN does not exist. */
  readonly lun: Lun | undefined
  /** Which way the initiator expects data, and how many bytes (Expected Data Transfer Length). */
  readonly reads: boolean
  readonly writes: boolean
  readonly expectedBytes: number
  /** F of the command PDU: no unsolicited Data-Out follows [7143 §11.3.1]. */
  readonly final: boolean
  readonly immediate: boolean
  /** Data-In and R2T PDUs sent so far; the next one's DataSN or R2TSN. */
  dataSn: number
  /** It outlived the section in which it arrived and counts in the command window. */
  kept: boolean
  /** What it counts as, and when it came, if it is timed (`WorkerCounters.began`). */
  io: IoKind
  readonly beganUs: number
}

/** A command for another worker, which times it no more. */
export function recordOfCommand({ lun, kept: _kept, beganUs: _beganUs, ...facts }: Command): CommandRecord {
  return { ...facts, ...(lun && { lun: lun.lun }) }
}

/** A command of another worker. */
export function commandOfRecord({ lun, ...facts }: CommandRecord, luns: ReadonlyMap<number, Lun>): Command {
  return { ...facts, lun: lun === undefined ? undefined : luns.get(lun), kept: false, beganUs: 0 }
}

/** A command under way. */
export interface Task {
  readonly command: Command
  /** Nothing more may be sent for it. */
  aborted: boolean
  /** I/O that still touches the volume or our memory, settled or not. */
  pending: Promise<void> | undefined
  /** Goes on after the connection drained. */
  run(): void
  /** What another worker needs to go on with it, while nothing is under way for it; absent when there always is, as long as it lives. */
  record?(): TaskRecord
}
