/**
 * What a volume may be, beyond the types: checked before anything touches the disk. The id becomes the name of a
 * directory, so it may not lead anywhere else.
 */
import { accessSync, constants } from 'node:fs'
import { RpcError, type VolumeBase, type VolumeSpec } from '@scsipub/contract'
import { SECTOR_BYTES } from '@scsipub/volume'

/** What volumes and snapshots may be called. */
export const VOLUME_ID = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/
/** 16 TiB: a bit for each of its sectors is what one array can look at (4 GiB, see `SharedMapping`), and the largest file of ext4. */
export const MAX_SIZE_BYTES = 2 ** 44

/** Undefined, or everything that is wrong with the specification in one line. */
export function invalidSpec(spec: VolumeSpec): string | undefined {
  const wrong: string[] = []
  const { volumeId, sizeBytes, blockBytes, quotaBytes, basePath, baseSnapshot } = spec
  if (!VOLUME_ID.test(volumeId))
    wrong.push(
      'volumeId must be 1–128 letters, digits, dots, colons, underscores or hyphens, and begin with a letter or digit',
    )
  if (blockBytes !== 512 && blockBytes !== 4096) wrong.push('blockBytes must be 512 or 4096')
  if (!(sizeBytes > 0 && sizeBytes <= MAX_SIZE_BYTES) || sizeBytes % Math.max(SECTOR_BYTES, blockBytes) !== 0) {
    wrong.push(`sizeBytes must be a positive multiple of blockBytes, at most ${MAX_SIZE_BYTES}`)
  }
  if (!(quotaBytes >= 0 && quotaBytes <= MAX_SIZE_BYTES) || quotaBytes % SECTOR_BYTES !== 0) {
    wrong.push('quotaBytes must be a multiple of 512, or 0 for no quota')
  }
  if (baseSnapshot !== undefined && !VOLUME_ID.test(baseSnapshot)) wrong.push('baseSnapshot is no name of a snapshot')
  if (baseSnapshot !== undefined && basePath !== undefined)
    wrong.push('it may have basePath or baseSnapshot, and not both')
  return wrong.length > 0 ? `volume ${JSON.stringify(volumeId)}: ${wrong.join('; ')}` : undefined
}

/** Throws `RpcError` 'base-missing' when something of what the volume stands on cannot be read. */
export function requireBase(volumeId: string, { layers, imagePath }: VolumeBase): void {
  const paths = layers.flatMap(layer => [layer.overlayPath, layer.bitmapPath])
  try {
    for (const path of imagePath === undefined ? paths : [...paths, imagePath]) accessSync(path, constants.R_OK)
  } catch (error) {
    throw new RpcError(
      'base-missing',
      `volume ${volumeId}: its base cannot be read, put it back: ${(error as Error).message}`,
    )
  }
}

/** Undefined, or why a volume that exists as `stored` cannot be opened as `asked`. The quota may differ. */
export function conflict(stored: VolumeSpec, asked: VolumeSpec): string | undefined {
  const differs = (['persistence', 'sizeBytes', 'blockBytes', 'basePath', 'baseSnapshot'] as const)
    .filter(key => stored[key] !== asked[key])
    .map(key => `${key} is ${stored[key] ?? 'absent'} and was asked as ${asked[key] ?? 'absent'}`)
  if (differs.length === 0) return undefined
  return `volume ${asked.volumeId} exists with other properties: ${differs.join('; ')}. Ask for it as it is, or use another volumeId for a new disk`
}
