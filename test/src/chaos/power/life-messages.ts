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

/** What is done to disks and snapshots as a whole; each is found whole or not at all. */
export type Change =
  | { readonly what: 'grow'; readonly volume: string; readonly sectors: number }
  | { readonly what: 'freeze'; readonly volume: string; readonly snapshot: string }
  /** A blank disk, or a clone of a snapshot. */
  | { readonly what: 'make'; readonly volume: string; readonly sectors: number; readonly snapshot?: string }
  | { readonly what: 'remove'; readonly volume: string }
  | { readonly what: 'destroy'; readonly snapshot: string }

/** Marks in the log. */
export type LifeMark =
  | { readonly kind: 'opened'; readonly dump: string }
  | { readonly kind: 'begin'; readonly volume: string; readonly operation: DiskOperation }
  | { readonly kind: 'end'; readonly id: number; readonly done: boolean }
  | { readonly kind: 'reserve'; readonly volume: string; readonly next: string }
  | { readonly kind: 'reserved'; readonly volume: string; readonly done: boolean }
  | { readonly kind: 'change'; readonly id: number; readonly change: Change }
  | { readonly kind: 'changed'; readonly id: number; readonly done: boolean }
  | { readonly kind: 'ended' }

/** Ids that a life takes for other things than the operations of its load. */
export const OTHER_IDS = 2000

/**
 * What is found at an opening; `report.json` of a dump. Beside it lie `ID` with the content of a disk or a snapshot and, of the disks, `ID.status`, a byte a
 * sector.
 */
export interface StateReport {
  readonly disks: Readonly<Record<string, DiskReport>>
  readonly snapshots: readonly string[]
  /** Files that belong to none of them. */
  readonly strays: readonly string[]
}
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
