/**
 * `snapshot.json`: what a snapshot is, and what it stands on. Written once; a directory without it is no snapshot.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { compileSchema, faults, type LayerFiles, RpcError, type SnapshotView } from '@scsipub/contract'
import type { DataDirectory } from '../data-directory.js'
import { filesIn } from '../volume-files.js'
import { VOLUME_ID } from '../volume-spec.js'
import { writeWhole } from '../whole-file.js'

export interface SnapshotManifest {
  format: 1
  snapshotId: string
  /** Random; never given to other files, unlike the name. */
  layerId: string
  /** Of what it was taken. */
  volumeId: string
  createdAt: string
  sizeBytes: number
  blockBytes: number
  usedBytes: number
  /** The snapshot that it stands on, or else the image. */
  baseSnapshot?: string
  imagePath?: string
}

/** JTD. */
export const snapshotManifestSchema = {
  properties: {
    format: { type: 'uint8' },
    snapshotId: { type: 'string' },
    layerId: { type: 'string' },
    volumeId: { type: 'string' },
    createdAt: { type: 'string' },
    sizeBytes: { type: 'float64' },
    blockBytes: { type: 'uint32' },
    usedBytes: { type: 'float64' },
  },
  optionalProperties: { baseSnapshot: { type: 'string' }, imagePath: { type: 'string' } },
} as const
const isManifest = compileSchema<SnapshotManifest>(snapshotManifestSchema)

/** Writes the file whole or not at all, durably. Throws system errors. */
export function writeSnapshotManifest(directory: DataDirectory, manifest: SnapshotManifest): void {
  writeWhole(join(directory.snapshot(manifest.snapshotId), 'snapshot.json'), `${JSON.stringify(manifest, null, 2)}\n`)
}

/** Whether there is a snapshot of this name, damaged or not. */
export function snapshotExists(directory: DataDirectory, snapshotId: string): boolean {
  return existsSync(directory.snapshot(snapshotId))
}

/** Reads and checks the file. Throws `RpcError` 'missing' or 'damaged', with the snapshot's name. */
export function readSnapshotManifest(directory: DataDirectory, snapshotId: string): SnapshotManifest {
  if (!VOLUME_ID.test(snapshotId) || !snapshotExists(directory, snapshotId))
    throw new RpcError('missing', `there is no snapshot ${snapshotId}`)
  const path = join(directory.snapshot(snapshotId), 'snapshot.json')
  const damaged = (what: string) =>
    new RpcError('damaged', `the snapshot ${snapshotId} cannot be used: ${path} ${what}. Restore the file`)
  let manifest: unknown
  try {
    manifest = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    throw damaged(`cannot be read: ${(error as Error).message}`)
  }
  if (!isManifest(manifest)) throw damaged(`is not as it should be: ${faults(isManifest)}`)
  if (manifest.format !== 1) throw damaged(`has the unknown format ${String(manifest.format)}`)
  if (manifest.snapshotId !== snapshotId) throw damaged(`belongs to snapshot ${manifest.snapshotId}`)
  return manifest
}

/** Where its files lie. */
export function layerOf(directory: DataDirectory, { snapshotId, layerId, sizeBytes }: SnapshotManifest): LayerFiles {
  const { overlayPath, bitmapPath } = filesIn(directory.snapshot(snapshotId))
  return { layerId, overlayPath, bitmapPath, sizeBytes }
}

/** What others may know of it. */
export function viewOf(manifest: SnapshotManifest): SnapshotView {
  const { snapshotId, volumeId, createdAt, sizeBytes, blockBytes, usedBytes, baseSnapshot } = manifest
  return {
    snapshotId,
    volumeId,
    createdAt,
    sizeBytes,
    blockBytes,
    usedBytes,
    ...(baseSnapshot !== undefined && { baseSnapshot }),
  }
}
