/** Growing a volume: the overlay gets longer, the bitmaps are made anew with the bits of the old ones. */
import { statSync } from 'node:fs'
import { RpcError } from '@scsipub/contract'
import type { DataDirectory } from '../data-directory.js'
import type { PersistentVolume } from '../persistent-volume.js'
import { filesIn } from '../volume-files.js'
import { readManifest } from '../volume-manifest.js'
import { MAX_SIZE_BYTES } from '../volume-spec.js'
import { makeGrownNext, setLength } from './next-files.js'
import type { Change } from './switcher.js'

/** The change that gives a volume a size; undefined when it has it. Throws `RpcError` 'bad-request'. */
export function growth(
  volume: PersistentVolume,
  sizeBytes: number,
  { directory, bootId }: { directory: DataDirectory; bootId: string },
): Change | undefined {
  const { volumeId, blockBytes, sizeBytes: before } = volume.descriptor.spec
  if (sizeBytes === before) return undefined
  if (!(sizeBytes <= MAX_SIZE_BYTES) || sizeBytes % blockBytes !== 0)
    throw new RpcError(
      'bad-request',
      `volume ${volumeId}: sizeBytes must be a multiple of ${blockBytes}, at most ${MAX_SIZE_BYTES}`,
    )
  if (sizeBytes < before)
    throw new RpcError(
      'bad-request',
      `volume ${volumeId} has ${before} bytes and cannot shrink to ${sizeBytes}: what lies behind would be lost`,
    )
  const place = directory.volume(volumeId)
  const { overlayPath } = filesIn(place)
  return {
    volume,
    overlay: 'same',
    decide: async () => {
      await makeGrownNext(place, volume.bitmap, { sizeBytes, bootId })
      // Now rather than later, when it is decided: the file system may not take a file of this length.
      setLength(overlayPath, sizeBytes)
      const manifest = readManifest(place, volumeId)
      return { volume: { ...manifest, spec: { ...manifest.spec, sizeBytes } } }
    },
    undo: () => {
      if (statSync(overlayPath).size > before) setLength(overlayPath, before)
    },
  }
}
