// What a life is told at its beginning, and what it tells in its log and in the folders that it dumps disks into.

import type { DiskOperation } from '../disk-operation.js'
import type { Identity } from './open-state.js'

export interface LifeOrders {
  readonly basePath: string
  /** Data directories that are opened, dumped and closed, before the life begins. */
  readonly inspect: readonly { readonly dataDir: string; readonly dump: string; readonly bootId: string }[]
  readonly live?: LiveOrders
}

export interface LiveOrders {
  readonly dataDir: string
  readonly dump: string
  readonly bootId: string
  readonly seed: number
  readonly firstId: number
  readonly operations: number
  /** Whether it ends by closing the engine. */
  readonly close: boolean
}

/** Marks in the log. */
export type LifeMark =
  | { readonly kind: 'opened'; readonly dump: string }
  | { readonly kind: 'begin'; readonly operation: DiskOperation }
  | { readonly kind: 'end'; readonly id: number; readonly done: boolean }
  | { readonly kind: 'reserve'; readonly disk: number; readonly next: string }
  | { readonly kind: 'reserved'; readonly disk: number; readonly done: boolean }
  | { readonly kind: 'snapshot'; readonly operation: DiskOperation }
  | { readonly kind: 'snapshotted'; readonly id: number; readonly done: boolean }
  | { readonly kind: 'ended'; readonly nextId: number }

/** Name of the snapshot that an operation takes. */
export const snapshotName = (operationId: number): string => `snapshot-${operationId}`

/**
 * What is found at an opening, by disk; `report.json` of a dump. Beside it lie `ID` with the content and `ID.status`, a byte a sector; and the contents of
 * snapshots by their names.
 */
export type StateReport = Readonly<Record<string, DiskReport>>
export type DiskReport =
  | { readonly refused: string; readonly why: string }
  | {
      readonly refused?: never
      readonly identity: Identity
      /** Sectors booked against the quota, by the engine and by the bits of the bitmap file. */
      readonly booked: number
      readonly counted: number
      readonly reservations: string
    }
