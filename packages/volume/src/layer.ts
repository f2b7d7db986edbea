/**
 * What a volume stands on: an image file, or a layer, which is overlay and bitmap of a snapshot and stands on another base itself. Both are read in
 * the same way; neither ever changes.
 *
 * A layer reads run by run, without the shortcuts of `SectorStore`: the volume above has them for what it holds itself, and whoever reads much through layers
 * reads it in long runs.
 */

import type { MappedBitmap } from './bitmap-file.js'
import type { DataFile } from './data-file.js'
import { isPresent, runLength, SECTOR_BYTES } from './sector-bits.js'

export interface Base {
  /** What lies behind reads as zeros. */
  readonly sizeBytes: number
  /** Fills the range if that needs no waiting; false when it does (the range may be partly filled). Throws VolumeError. */
  readNow(position: number, target: Buffer, offset: number, length: number): boolean
  /** Fills the range, by way of the thread pool. Rejects with VolumeError. */
  readLater(position: number, target: Buffer, offset: number, length: number): Promise<void>
  /** How many of `count` ≥ 1 sectors from `first` are alike: with data (`mapped`), or zeros of which nothing is stored. */
  run(first: number, count: number): { count: number; mapped: boolean }
}

export class Layer implements Base {
  readonly sizeBytes: number
  readonly #file: DataFile
  readonly #bitmap: MappedBitmap
  readonly #lower: Base | undefined

  /** `lower`: what the layer stands on. */
  constructor(file: DataFile, bitmap: MappedBitmap, lower: Base | undefined) {
    this.sizeBytes = file.sizeBytes
    this.#file = file
    this.#bitmap = bitmap
    this.#lower = lower
  }

  readNow(position: number, target: Buffer, offset: number, length: number): boolean {
    const inside = this.#clamp(position, target, offset, length)
    const { words } = this.#bitmap
    for (let done = 0; done < inside; ) {
      const sector = (position + done) / SECTOR_BYTES
      const present = isPresent(words, sector)
      const bytes = runLength(words, sector, (inside - done) / SECTOR_BYTES, present) * SECTOR_BYTES
      const from = present ? this.#file : this.#lower
      if (!from) target.fill(0, offset + done, offset + done + bytes)
      else if (!from.readNow(position + done, target, offset + done, bytes)) return false
      done += bytes
    }
    return true
  }

  async readLater(position: number, target: Buffer, offset: number, length: number): Promise<void> {
    const inside = this.#clamp(position, target, offset, length)
    const { words } = this.#bitmap
    for (let done = 0; done < inside; ) {
      const sector = (position + done) / SECTOR_BYTES
      const present = isPresent(words, sector)
      const bytes = runLength(words, sector, (inside - done) / SECTOR_BYTES, present) * SECTOR_BYTES
      const from = present ? this.#file : this.#lower
      if (from) await from.readLater(position + done, target, offset + done, bytes)
      else target.fill(0, offset + done, offset + done + bytes)
      done += bytes
    }
  }

  run(first: number, count: number): { count: number; mapped: boolean } {
    const inside = this.sizeBytes / SECTOR_BYTES - first
    if (inside <= 0) return { count, mapped: false }
    const { words, deallocated, anchored } = this.#bitmap
    const present = isPresent(words, first)
    let alike = runLength(words, first, Math.min(count, inside), present)
    if (!present) return this.#lower?.run(first, alike) ?? { count: alike, mapped: false }
    // What was anchored in the volume of then has no room set aside in the one above.
    const empty = isPresent(deallocated, first) || isPresent(anchored, first)
    for (const bits of [deallocated, anchored]) alike = runLength(bits, first, alike, isPresent(bits, first))
    return { count: alike, mapped: !empty }
  }

  /** The volume above may have grown. */
  #clamp(position: number, target: Buffer, offset: number, length: number): number {
    const inside = Math.min(length, Math.max(0, this.sizeBytes - position))
    if (inside < length) target.fill(0, offset + inside, offset + length)
    return inside
  }
}
