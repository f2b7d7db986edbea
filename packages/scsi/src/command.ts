// What the command table says of one command. The table itself is command-table.ts.

import type { AnyCdb } from './cdb.js'
import type { Context, LogicalUnit } from './logical-unit.js'
import type { Outcome } from './outcome.js'

/**
 * How a persistent reservation of another nexus bears on a command [SPC-4 §5.13.1, SBC-3 §4.17]:
 *   allowed   never in conflict
 *   asRead    in conflict under Exclusive Access, unless registered where registrants may
 *   asWrite   in conflict under Write Exclusive and Exclusive Access, unless registered where registrants may
 *   conflict  in conflict for everybody to whom the reservation does not give full access
 */
export type ReservationClass = 'allowed' | 'asRead' | 'asWrite' | 'conflict'

/** The class of a command, or how to tell it from the CDB. */
export type ReservationRule = ReservationClass | ((cdb: Buffer, offset: number) => ReservationClass)

export interface Command {
  /** The standard's name, with the length of the CDB. */
  readonly name: string
  /** Standard and section. */
  readonly spec: string
  readonly cdb: AnyCdb
  /** Where its data goes, seen from the initiator. */
  readonly direction: 'none' | 'in' | 'out'
  /** Absent means `conflict`: a command that nobody thought about does not pass a reservation. */
  readonly reserved?: ReservationRule
  /** Passes persistent reservations but not a RESERVE of another nexus [SPC-2 §5.5.1, table 10]. */
  readonly conflictsWithReserve?: true
  /** Whether a loaded medium is needed; without one it ends with 2/3A/00. */
  readonly needsMedium: boolean
  /** Answered even while a unit attention is pending, which stays pending [SAM-5 §5.14]. */
  readonly ignoresUnitAttention?: true
  /** Units that have the command; absent means all. To the others it is unknown. */
  readonly on?: (lu: LogicalUnit) => boolean
  /** Carried out although a sanitize operation has failed [SBC-3 §4.11.4]. */
  readonly answersSanitizeFailure?: true
  readonly run: (cdb: Buffer, offset: number, context: Context, lu: LogicalUnit) => Outcome
  /** For commands that are answered where there is no logical unit, or a well known one. */
  readonly runWithoutLu?: (cdb: Buffer, offset: number, context: Context) => Outcome
}

/** One operation code: a command, or commands told apart by SERVICE ACTION (byte 1, bits 4-0). */
export type TableEntry = Command | { readonly name: string; readonly serviceActions: Readonly<Record<number, Command>> }
