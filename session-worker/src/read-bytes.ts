/**
 * Reads any range of bytes of a volume. Volumes read whole sectors; an initiator may offer room for less than a block, or take data segments that
 * are not a multiple of one.
 */
import { type BorrowedVolume, SECTOR_BYTES } from '@scsipub/volume'

/** Like `BorrowedVolume.read`, for any `position` and `length` in bytes. */
export function readBytes(
  volume: BorrowedVolume,
  position: number,
  target: Buffer,
  offset: number,
  length: number,
): undefined | Promise<void> {
  if (position % SECTOR_BYTES === 0 && length % SECTOR_BYTES === 0) return volume.read(position, target, offset, length)
  const start = position - (position % SECTOR_BYTES)
  const end = Math.ceil((position + length) / SECTOR_BYTES) * SECTOR_BYTES
  const sectors = Buffer.allocUnsafe(end - start)
  const copy = () => void sectors.copy(target, offset, position - start, position - start + length)
  const cold = volume.read(start, sectors, 0, sectors.length)
  return cold === undefined ? copy() : cold.then(copy)
}
