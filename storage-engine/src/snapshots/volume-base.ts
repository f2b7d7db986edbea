/**
 * What a volume stands on, found by going down from its manifest: snapshots, each of which names the next, and an image under the last one.
 */
import { RpcError, type VolumeBase, type VolumeSpec } from '@scsipub/contract'
import type { DataDirectory } from '../data-directory.js'
import type { VolumeManifest } from '../volume-manifest.js'
import { requireBase } from '../volume-spec.js'
import { layerOf, readSnapshotManifest, type SnapshotManifest } from './snapshot-manifest.js'

/** A read may have to look into each of them; more are refused when a snapshot is taken. */
export const MAX_LAYERS = 32

/** What an existing volume stands on. Throws `RpcError` 'base-missing' or 'damaged'. */
export function baseOfVolume(directory: DataDirectory, { spec, standsOn }: VolumeManifest): VolumeBase {
  const base = baseUnder(directory, spec.volumeId, standsOn ?? spec.baseSnapshot, spec.basePath)
  requireBase(spec.volumeId, base)
  return base
}

/** What a new volume will stand on. Throws `RpcError` 'base-missing', 'damaged', or 'bad-request' when it does not fit its snapshot. */
export function baseOfNew(directory: DataDirectory, spec: VolumeSpec): VolumeBase {
  const base = baseUnder(directory, spec.volumeId, spec.baseSnapshot, spec.basePath)
  requireBase(spec.volumeId, base)
  if (spec.baseSnapshot === undefined) return base
  const { sizeBytes, blockBytes } = readSnapshotManifest(directory, spec.baseSnapshot)
  if (spec.sizeBytes >= sizeBytes && spec.blockBytes === blockBytes) return base
  throw new RpcError(
    'bad-request',
    `volume ${spec.volumeId}: a clone of ${spec.baseSnapshot} has blocks of ${blockBytes} bytes, and at least ${sizeBytes} bytes`,
  )
}

function baseUnder(
  directory: DataDirectory,
  volumeId: string,
  snapshotId: string | undefined,
  imagePath: string | undefined,
): VolumeBase {
  const layers: VolumeBase['layers'] = []
  let image = imagePath
  for (let next = snapshotId; next !== undefined; ) {
    if (layers.length === MAX_LAYERS)
      throw new RpcError('damaged', `volume ${volumeId} is refused: it stands on more than ${MAX_LAYERS} snapshots`)
    const manifest = read(directory, volumeId, next)
    layers.push(layerOf(directory, manifest))
    next = manifest.baseSnapshot
    image = manifest.imagePath
  }
  return { layers, ...(image !== undefined && { imagePath: image }) }
}

function read(directory: DataDirectory, volumeId: string, snapshotId: string): SnapshotManifest {
  try {
    return readSnapshotManifest(directory, snapshotId)
  } catch (error) {
    if (!(error instanceof RpcError)) throw error
    const code = error.code === 'missing' ? 'base-missing' : error.code
    throw new RpcError(code, `volume ${volumeId}: what it stands on cannot be used: ${error.message}`)
  }
}
