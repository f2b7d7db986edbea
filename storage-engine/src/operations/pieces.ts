/**
 * Long operations in short pieces: the engine's thread also has other volumes, and whoever asks it for one of them waits no longer than a
 * piece takes.
 */
import { setImmediate } from 'node:timers/promises'
import { SECTOR_BYTES, type SectorRange } from '@scsipub/volume'

/** A range of bytes, whole sectors. */
export interface Extent {
  readonly position: number
  readonly length: number
}

/** Calls `act` for one piece of at most `pieceBytes` after the other, and lets others have a turn after each. */
export async function inPieces(
  { position, length }: Extent,
  pieceBytes: number,
  act: (piece: SectorRange) => void | Promise<void>,
): Promise<void> {
  for (let done = 0; done < length; done += pieceBytes) {
    const bytes = Math.min(pieceBytes, length - done)
    await act({ first: (position + done) / SECTOR_BYTES, count: bytes / SECTOR_BYTES })
    await setImmediate()
  }
}
