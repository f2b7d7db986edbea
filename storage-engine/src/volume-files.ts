/**
 * Making and removing the files of volumes. A volume's directory appears with all that belongs into it, or not at all.
 */
import { closeSync, existsSync, fsyncSync, ftruncateSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { RpcError, type VolumeFiles } from '@scsipub/contract'
import { BITMAP_FORMAT, createBitmapFile, isOutOfSpace, SECTOR_BYTES } from '@scsipub/volume'
import { type DataDirectory, syncDirectory } from './data-directory.js'
import { type VolumeManifest, writeManifest } from './volume-manifest.js'

export interface PersistentFiles extends VolumeFiles {
  durablePath: string
  /** Made by the first atomic write. */
  intentPath: string
}

/** Names of the files of a volume in `directory`. */
export function filesIn(directory: string): PersistentFiles {
  return {
    overlayPath: join(directory, 'overlay'),
    bitmapPath: join(directory, 'bitmap'),
    durablePath: join(directory, 'bitmap.durable'),
    intentPath: join(directory, 'intent'),
  }
}

/** Those of an ephemeral volume, once there are any. */
export function ephemeralFiles(directory: string): VolumeFiles {
  const { overlayPath, bitmapPath } = filesIn(directory)
  return { overlayPath, bitmapPath }
}

/** Makes overlay and bitmap of an ephemeral volume. Throws `RpcError` 'space' or 'io'; nothing is left behind then. */
export function makeEphemeral(directory: string, volumeId: string, sizeBytes: number, bootId: string): VolumeFiles {
  const { overlayPath, bitmapPath } = filesIn(directory)
  makeOrRemove(directory, volumeId, () => {
    closeSync(makeOverlay(overlayPath, sizeBytes))
    createBitmapFile(bitmapPath, { sizeSectors: sizeBytes / SECTOR_BYTES, bootId, format: BITMAP_FORMAT.provisioned })
  })
  return { overlayPath, bitmapPath }
}

/**
 * Makes a persistent volume durably, under another name first. Throws `RpcError` 'space' or 'io'; nothing is left
 * behind then.
 */
export function makePersistent(directory: DataDirectory, manifest: VolumeManifest, bootId: string): void {
  const { volumeId, sizeBytes } = manifest.spec
  const making = directory.making(volumeId)
  const place = directory.volume(volumeId)
  const { overlayPath, bitmapPath, durablePath } = filesIn(making)
  rmSync(making, { recursive: true, force: true })
  makeOrRemove(making, volumeId, () => {
    closeSynced(makeOverlay(overlayPath, sizeBytes))
    for (const [path, format] of [
      [bitmapPath, BITMAP_FORMAT.provisioned],
      [durablePath, BITMAP_FORMAT.presence],
    ] as const) {
      createBitmapFile(path, { sizeSectors: sizeBytes / SECTOR_BYTES, bootId, format })
      closeSynced(openSync(path, 'r+'))
    }
    writeManifest(making, manifest)
    renameSync(making, place)
    syncDirectory(dirname(place))
  })
}

/** Deletes a persistent volume that is not open; none is no error. Once this has begun the volume is gone, whatever happens. Rejects with `RpcError` 'io'. */
export async function removePersistent(directory: DataDirectory, volumeId: string): Promise<void> {
  const place = directory.volume(volumeId)
  const removing = directory.removing(volumeId)
  try {
    await rm(removing, { recursive: true, force: true })
    if (!existsSync(place)) return
    renameSync(place, removing)
    syncDirectory(dirname(place))
    await rm(removing, { recursive: true, force: true })
  } catch (error) {
    throw new RpcError('io', `volume ${volumeId}: its files cannot be removed (${(error as Error).message})`)
  }
}

/** Whether a persistent volume of this name exists, damaged or not. */
export function exists(directory: DataDirectory, volumeId: string): boolean {
  return existsSync(directory.volume(volumeId))
}

function makeOverlay(path: string, sizeBytes: number): number {
  const fd = openSync(path, 'wx', 0o600)
  try {
    ftruncateSync(fd, sizeBytes)
    return fd
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

function closeSynced(fd: number): void {
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

function makeOrRemove(directory: string, volumeId: string, make: () => void): void {
  try {
    mkdirSync(directory, { mode: 0o700 })
    make()
  } catch (error) {
    rmSync(directory, { recursive: true, force: true })
    const [code, advice] = isOutOfSpace(error)
      ? ['space', 'the file system of the data directory is full']
      : ['io', 'its files cannot be made']
    throw new RpcError(code, `volume ${volumeId}: ${advice} (${(error as Error).message})`)
  }
}
