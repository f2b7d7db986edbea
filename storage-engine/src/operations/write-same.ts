/**
 * WRITE SAME: one block over a whole range. Zeros that need not be mapped are deallocated; zeros that must be are made without writing them,
 * where the file system can, and their room is reserved. [SBC-3 §5.42]
 */
import type { ExclusiveOperation, ExclusiveResults } from '@scsipub/contract'
import type { EngineVolume } from '../engine-volume.js'
import { inPieces } from './pieces.js'
import { anchorExtent, unmapExtent } from './unmap.js'

const WRITE_PIECE_BYTES = 4 << 20
const ZERO_PIECE_BYTES = 16 << 20

type Operation = Extract<ExclusiveOperation, { name: 'writeSame' }>

/** Rejects with VolumeError; a part of the range may be written then. */
export async function writeSame(volume: EngineVolume, o: Operation): Promise<ExclusiveResults['writeSame']> {
  const block = Buffer.from(o.data)
  const zeros = block.every(byte => byte === 0)
  if (zeros && o.unmap) {
    await (o.anchor ? anchorExtent(volume, o) : unmapExtent(volume, o))
    return {}
  }
  const provisioning = volume.store.provisioning()
  if (zeros) await inPieces(o, ZERO_PIECE_BYTES, piece => provisioning.zero(piece))
  else await inPieces(o, WRITE_PIECE_BYTES, piece => provisioning.fill(piece, block))
  return {}
}
