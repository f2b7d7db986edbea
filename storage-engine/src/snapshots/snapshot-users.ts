/**
 * What stands on a snapshot: volumes and other snapshots, by their manifests. They are looked through when a snapshot is to be destroyed, and only then;
 * a count kept elsewhere could be wrong.
 */
import { setImmediate } from 'node:timers/promises'
import type { DataDirectory } from '../data-directory.js'
import { readManifest } from '../volume-manifest.js'
import { readSnapshotManifest } from './snapshot-manifest.js'

/** Manifests read before others have a turn. */
const MANIFESTS_A_TURN = 100

/**
 * One that stands on the snapshot, in words; undefined when there is none. What cannot be read may stand on it. `inMemory`: snapshots that are
 * in use by volumes without a manifest.
 */
export async function userOf(
  directory: DataDirectory,
  snapshotId: string,
  inMemory: ReadonlySet<string>,
): Promise<string | undefined> {
  if (inMemory.has(snapshotId)) return 'a disk that is in use'
  let read = 0
  for (const volumeId of directory.volumeIds()) {
    if (++read % MANIFESTS_A_TURN === 0) await setImmediate()
    const { spec, standsOn } = attempt(() => readManifest(directory.volume(volumeId), volumeId)) ?? {}
    if (!spec) return `perhaps the volume ${volumeId}, which cannot be read,`
    if ((standsOn ?? spec.baseSnapshot) === snapshotId) return `the volume ${volumeId}`
  }
  for (const other of directory.snapshotIds()) {
    if (++read % MANIFESTS_A_TURN === 0) await setImmediate()
    if (other === snapshotId) continue
    const manifest = attempt(() => readSnapshotManifest(directory, other))
    if (!manifest) return `perhaps the snapshot ${other}, which cannot be read,`
    if (manifest.baseSnapshot === snapshotId) return `the snapshot ${other}`
  }
  return undefined
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
