/**
 * The careful opening of a persistent volume: made if there is none, its bitmaps settled, an interrupted change of its files undone, an interrupted
 * atomic write or sanitize operation taken up. What cannot be believed refuses this volume alone.
 *
 * What an opening finds may be what a killed server had changed and not yet synced: names in the directory, and the intent. It is made durable before
 * anybody acts on it, or a loss of power could still undo it.
 */
import { statSync } from 'node:fs'
import { type EngineMemory, RpcError, type VolumeBase, type VolumeRecord, type VolumeSpec } from '@scsipub/contract'
import { type BaseFiles, isOutOfSpace, SECTOR_BYTES } from '@scsipub/volume'
import { type DataDirectory, syncDirectory } from './data-directory.js'
import { settle } from './durable-bitmap.js'
import { type Identity, newIdentity } from './identity.js'
import { closeFiles, type OpenFiles, openFiles, PersistentVolume } from './persistent-volume.js'
import { ReservationFile } from './reservation-file.js'
import { hasNext, removeNext, setLength } from './snapshots/next-files.js'
import { baseOfNew, baseOfVolume } from './snapshots/volume-base.js'
import { type Sync, syncData } from './sync.js'
import type { NoteVolume } from './takeover/engine-notes.js'
import { successorOnDisk } from './takeover/successor-on-disk.js'
import { exists, filesIn, makePersistent } from './volume-files.js'
import { readManifest } from './volume-manifest.js'
import { conflict } from './volume-spec.js'

export interface OpenOptions {
  directory: DataDirectory
  spec: VolumeSpec
  bootId: string
  opened: () => void
  bases: BaseFiles
  memory: EngineMemory
  note: NoteVolume
  sync?: Sync
}

/**
 * Opens a persistent volume, making it if there is none. Throws `RpcError`: 'space', 'io', 'mismatch' (exists with other
 * properties) or 'damaged'; the volume alone is refused then.
 */
export async function openPersistent(o: OpenOptions): Promise<PersistentVolume> {
  const { directory, spec } = o
  const { volumeId } = spec
  const isNew = !exists(directory, volumeId)
  if (isNew) {
    baseOfNew(directory, spec)
    makePersistent(directory, { format: 1, spec, identity: newIdentity() }, o.bootId)
  }
  const manifest = readManifest(directory.volume(volumeId), volumeId)
  const differs = conflict(manifest.spec, spec)
  if (differs) throw new RpcError('mismatch', differs)
  return openFound(o, { spec, identity: manifest.identity, base: baseOfVolume(directory, manifest) }, async volume => {
    await volume.takeStock({ isNew })
    volume.sanitizer.resume()
  })
}

/**
 * Opens a volume that is in use, for an engine that takes over from one that died. What is in the control block stays, and may still have to be put right
 * (`take-over.ts`), unless the files have been replaced already: then there is another one. Throws as `openPersistent`.
 */
export async function openTaken(o: Omit<OpenOptions, 'spec'>, taken: VolumeRecord): Promise<PersistentVolume> {
  const { volumeId, quotaBytes } = taken.descriptor.spec
  const manifest = readManifest(o.directory.volume(volumeId), volumeId)
  const spec = { ...manifest.spec, quotaBytes }
  const found = { spec, identity: manifest.identity, base: baseOfVolume(o.directory, manifest) }
  const present = successorOnDisk(taken, found, o.note) ?? taken
  return openFound({ ...o, spec }, { ...found, taken: present }, async volume => volume.takeUpMarks())
}

interface Found {
  readonly spec: VolumeSpec
  readonly identity: Identity
  readonly base: VolumeBase
  readonly taken?: VolumeRecord
}

/** `ready` is called when the volume is open, before anybody has it; when it fails, the volume is closed again. */
async function openFound(
  o: OpenOptions,
  { spec, identity, base, taken }: Found,
  ready: (volume: PersistentVolume) => Promise<void>,
): Promise<PersistentVolume> {
  const { directory, bootId, opened, bases, memory, note } = o
  const { volumeId } = spec
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
      identity,
      base,
      opened,
      bases,
      memory,
      note,
      taken,
      paths,
      files,
      trusted,
      reservationFile: new ReservationFile(directory.volume(volumeId), volumeId),
      sync: o.sync ?? syncData,
    })
    try {
      await ready(volume)
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
