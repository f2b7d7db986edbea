/**
 * The careful opening of a persistent volume: made if there is none, its bitmaps settled, an interrupted change of its files undone, an interrupted
 * atomic write or sanitize operation taken up. What cannot be believed refuses this volume alone.
 *
 * What an opening finds may be what a killed server had changed and not yet synced: names in the directory, and the intent. It is made durable before
 * anybody acts on it, or a loss of power could still undo it.
 */
import { statSync } from 'node:fs'
import { RpcError, type VolumeSpec } from '@scsipub/contract'
import { type BaseFiles, isOutOfSpace, SECTOR_BYTES } from '@scsipub/volume'
import { type DataDirectory, syncDirectory } from './data-directory.js'
import { settle } from './durable-bitmap.js'
import { newIdentity } from './identity.js'
import { closeFiles, type OpenFiles, openFiles, PersistentVolume } from './persistent-volume.js'
import { ReservationFile } from './reservation-file.js'
import { hasNext, removeNext, setLength } from './snapshots/next-files.js'
import { baseOfNew, baseOfVolume } from './snapshots/volume-base.js'
import { type Sync, syncData } from './sync.js'
import { exists, filesIn, makePersistent } from './volume-files.js'
import { readManifest } from './volume-manifest.js'
import { conflict } from './volume-spec.js'

/**
 * Opens a persistent volume, making it if there is none. Throws `RpcError`: 'space', 'io', 'mismatch' (exists with other
 * properties) or 'damaged'; the volume alone is refused then.
 */
export async function openPersistent(o: {
  directory: DataDirectory
  spec: VolumeSpec
  bootId: string
  opened: () => void
  bases: BaseFiles
  sync?: Sync
}): Promise<PersistentVolume> {
  const { directory, spec, bootId, opened, bases } = o
  const { volumeId } = spec
  if (!exists(directory, volumeId)) {
    baseOfNew(directory, spec)
    makePersistent(directory, { format: 1, spec, identity: newIdentity() }, bootId)
  }
  const manifest = readManifest(directory.volume(volumeId), volumeId)
  const differs = conflict(manifest.spec, spec)
  if (differs) throw new RpcError('mismatch', differs)
  const base = baseOfVolume(directory, manifest)
  const paths = filesIn(directory.volume(volumeId))
  let files: OpenFiles | undefined
  try {
    syncDirectory(directory.volume(volumeId))
    undoNext(directory.volume(volumeId), paths.overlayPath, spec.sizeBytes)
    requireOverlay(paths.overlayPath, spec.sizeBytes)
    const trusted = await settle(paths, spec.sizeBytes / SECTOR_BYTES, bootId)
    files = openFiles(paths, spec.sizeBytes)
    const volume = new PersistentVolume({
      spec,
      identity: manifest.identity,
      base,
      opened,
      bases,
      paths,
      files,
      trusted,
      reservationFile: new ReservationFile(directory.volume(volumeId), volumeId),
      sync: o.sync ?? syncData,
    })
    try {
      await volume.takeStock()
      volume.sanitizer.resume()
    } catch (error) {
      volume.closeUnused()
      throw error
    }
    return volume
  } catch (error) {
    if (files) closeFiles(files)
    if (error instanceof RpcError && error.code === 'damaged') throw error
    if (isOutOfSpace(error))
      throw new RpcError('space', `volume ${volumeId} cannot be opened, make room: ${(error as Error).message}`)
    const advice = `Restore its directory ${directory.volume(volumeId)}, or move it away to begin with an empty disk`
    throw new RpcError('damaged', `volume ${volumeId} is refused: ${(error as Error).message}. ${advice}`)
  }
}

/** Undoes a change of the files that was interrupted before it was decided: its overlay may have been made longer, and has nothing there. */
function undoNext(directory: string, overlayPath: string, sizeBytes: number): void {
  if (!hasNext(directory)) return
  if (statSync(overlayPath).size > sizeBytes) setLength(overlayPath, sizeBytes)
  removeNext(directory)
}

function requireOverlay(path: string, sizeBytes: number): void {
  const { size } = statSync(path)
  if (size !== sizeBytes) throw new Error(`the overlay ${path} has ${size} bytes instead of ${sizeBytes}`)
}
