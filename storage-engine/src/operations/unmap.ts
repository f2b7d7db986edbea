/**
 * UNMAP: deallocates, or anchors. The gate is closed, so no write of a session can be lost in a hole. [SBC-3 §5.28]
 * A volume without files and without a base is deallocated already, and gets no files for it.
 */
import { type ExclusiveOperation, type ExclusiveResults, VOLUME_STAGE } from '@scsipub/contract'
import type { EngineVolume } from '../engine-volume.js'
import { type Extent, inPieces } from './pieces.js'

/** To free this much takes some milliseconds. */
const UNMAP_PIECE_BYTES = 256 << 20

type Operation = Extract<ExclusiveOperation, { name: 'unmap' }>

/** Rejects with VolumeError; ranges before the one that failed are unmapped then. */
export async function unmap(
  volume: EngineVolume,
  { ranges, anchor }: Pick<Operation, 'ranges' | 'anchor'>,
): Promise<ExclusiveResults['unmap']> {
  for (const range of ranges) await (anchor ? anchorExtent(volume, range) : unmapExtent(volume, range))
  return {}
}

/** Deallocates one range. Rejects with VolumeError. */
export async function unmapExtent({ store, control }: EngineVolume, range: Extent): Promise<void> {
  if (control.stage === VOLUME_STAGE.unwritten && !store.base) return
  const provisioning = store.provisioning()
  await inPieces(range, UNMAP_PIECE_BYTES, piece => provisioning.unmap(piece))
}

/** Where zeros have to be written for it, no piece takes long either. */
const ANCHOR_PIECE_BYTES = 16 << 20

/** Anchors one range. Rejects with VolumeError. */
export async function anchorExtent({ store }: EngineVolume, range: Extent): Promise<void> {
  const provisioning = store.provisioning()
  await inPieces(range, ANCHOR_PIECE_BYTES, piece => provisioning.anchor(piece))
}
