/**
 * Snapshots: what a volume held at one moment, kept for ever under a name of its own. A snapshot takes over the files that the volume had, so it costs
 * no copy; the volume goes on in new, empty ones. Clones (`VolumeSpec.baseSnapshot`) stand on a snapshot, and so does the volume that it was taken of, which is
 * why a snapshot that anything stands on cannot be destroyed.
 */
import type { JTDDataType } from 'ajv/dist/core.js'

/** One volume to be frozen, and what the snapshot is to be called. All items of a request are frozen at the same moment. */
export const snapshotItemSchema = {
  properties: { volumeId: { type: 'string' }, snapshotId: { type: 'string' } },
} as const
export type SnapshotItem = JTDDataType<typeof snapshotItemSchema>

/** `usedBytes`: what its own layer holds, without what lies under it. `volumeId`: of what it was taken. `createdAt`: ISO 8601. */
export interface SnapshotView {
  readonly snapshotId: string
  readonly volumeId: string
  readonly createdAt: string
  readonly sizeBytes: number
  readonly blockBytes: number
  readonly usedBytes: number
  /** The snapshot that it stands on itself. */
  readonly baseSnapshot?: string
}

/** `pausedMs`: how long I/O to the volumes waited. */
export interface SnapshotsTaken {
  readonly snapshots: readonly SnapshotView[]
  readonly pausedMs: number
}

/** `damaged`: snapshots that are there and cannot be used, with the reason. */
export interface SnapshotList {
  readonly snapshots: readonly SnapshotView[]
  readonly damaged: readonly { readonly snapshotId: string; readonly why: string }[]
}
