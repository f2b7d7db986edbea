/**
 * The data of one volume as it lies in files: overlay over base (an image, or layers of snapshots), told apart by the bitmap. It knows nothing of gates,
 * sessions or quotas.
 *
 * Without an overlay everything comes from the base; without a base it is zeros, with no I/O. Sectors that the bitmap
 * does not name may hold rubbish in the overlay (of a write that failed), so they are never taken from there.
 */
import type { VolumeBase } from '@scsipub/contract'
import type { BaseFiles } from './base-files.js'
import { MappedBitmap } from './bitmap-file.js'
import { DataFile } from './data-file.js'
import type { Base } from './layer.js'
import {
  allBits,
  clearBits,
  countAbsent,
  isPresent,
  PRESENCE,
  presence,
  presenceBits,
  runLength,
  SECTOR_BYTES,
  setPresent,
  trailingZeros,
} from './sector-bits.js'

/** A small range in more runs than this is read whole from both files and merged: two calls instead of many. */
const MERGE_ABOVE_RUNS = 2
const MERGE_MAX_BYTES = 64 * 1024
/** Holds the base's side of a merge, which never waits; so one serves all volumes of the thread. */
const scratch = Buffer.allocUnsafeSlow(MERGE_MAX_BYTES)

/** As many sectors as a word has bits. */
const SMALL_READ_BYTES = 32 * SECTOR_BYTES

export interface Overlay {
  readonly file: DataFile
  readonly bitmap: MappedBitmap
}

export class SectorStore {
  readonly #bases: BaseFiles
  readonly #standsOn: VolumeBase | undefined
  #base: Base | undefined
  #overlay: Overlay | undefined

  /** `standsOn`: undefined when there is nothing under the overlay. */
  constructor(bases: BaseFiles, standsOn: VolumeBase | undefined) {
    this.#bases = bases
    this.#standsOn = standsOn
  }

  get hasOverlay(): boolean {
    return this.#overlay !== undefined
  }

  /** The files above the base. There must be an overlay. */
  get overlay(): Overlay {
    if (!this.#overlay) throw new Error('the volume has no overlay yet')
    return this.#overlay
  }

  /** What is under the overlay. Throws VolumeError. */
  get base(): Base | undefined {
    return this.#baseFile()
  }

  /** Descriptors that are this volume's own. */
  get openFiles(): number {
    return this.#overlay ? 1 : 0
  }

  /** Opens overlay and bitmap. Throws system errors and `BitmapDamaged`; nothing is open then. */
  openOverlay(files: { overlayPath: string; bitmapPath: string }, sizeBytes: number): void {
    const file = new DataFile(files.overlayPath, 'r+')
    try {
      this.#overlay = { file, bitmap: new MappedBitmap(files.bitmapPath, sizeBytes / SECTOR_BYTES) }
    } catch (error) {
      file.close()
      throw error
    }
  }

  /** Closes everything. Nothing may be under way. */
  close(): void {
    const { file, bitmap } = this.#overlay ?? {}
    this.#overlay = undefined
    file?.close()
    bitmap?.unmap()
    if (this.#base && this.#standsOn) this.#bases.drop(this.#standsOn)
    this.#base = undefined
  }

  /** Reads; undefined when done, a promise when something had to be fetched from a disk. Throws VolumeError. */
  read(position: number, target: Buffer, offset: number, length: number): undefined | Promise<void> {
    const overlay = this.#overlay
    if (!overlay) return this.#readRun(this.#baseFile(), position, target, offset, length)
    if (length <= SMALL_READ_BYTES) return this.#readSmall(overlay, position, target, offset, length)
    const { words } = overlay.bitmap
    switch (presence(words, position / SECTOR_BYTES, length / SECTOR_BYTES)) {
      case PRESENCE.all:
        return this.#readRun(overlay.file, position, target, offset, length)
      case PRESENCE.none:
        return this.#readRun(this.#baseFile(), position, target, offset, length)
      default:
        return this.#readMixed(overlay, position, target, offset, length)
    }
  }

  #readRun(
    file: Base | undefined,
    position: number,
    target: Buffer,
    offset: number,
    length: number,
  ): undefined | Promise<void> {
    if (!file) {
      target.fill(0, offset, offset + length)
      return undefined
    }
    return file.readNow(position, target, offset, length) ? undefined : file.readLater(position, target, offset, length)
  }

  /** The bits of the range in one word: all from one file, or the usual mixture, a part from either. */
  #readSmall(
    overlay: Overlay,
    position: number,
    target: Buffer,
    offset: number,
    length: number,
  ): undefined | Promise<void> {
    const count = length / SECTOR_BYTES
    const all = allBits(count)
    const bits = presenceBits(overlay.bitmap.words, position / SECTOR_BYTES, count)
    if (bits === all) return this.#readRun(overlay.file, position, target, offset, length)
    if (bits === 0) return this.#readRun(this.#baseFile(), position, target, offset, length)
    const presentFirst = (bits & 1) !== 0
    const run = trailingZeros(presentFirst ? ~bits : bits)
    const base = this.#baseFile()
    if (bits >>> run !== (presentFirst ? 0 : all >>> run) || !base) {
      return this.#readMixed(overlay, position, target, offset, length)
    }
    const bytes = run * SECTOR_BYTES
    const first = presentFirst ? overlay.file : base
    const second = presentFirst ? base : overlay.file
    const done =
      first.readNow(position, target, offset, bytes) &&
      second.readNow(position + bytes, target, offset + bytes, length - bytes)
    return done ? undefined : this.#readRunsLater(overlay, position, target, offset, length)
  }

  #readMixed(
    overlay: Overlay,
    position: number,
    target: Buffer,
    offset: number,
    length: number,
  ): undefined | Promise<void> {
    const { words } = overlay.bitmap
    if (length <= MERGE_MAX_BYTES && moreRuns(words, position / SECTOR_BYTES, length / SECTOR_BYTES)) {
      if (this.#merge(overlay, position, target, offset, length)) return undefined
      return this.#readRunsLater(overlay, position, target, offset, length)
    }
    for (let done = 0; done < length; ) {
      const sector = (position + done) / SECTOR_BYTES
      const present = isPresent(words, sector)
      const bytes = runLength(words, sector, (length - done) / SECTOR_BYTES, present) * SECTOR_BYTES
      const file = present ? overlay.file : this.#baseFile()
      if (!file) target.fill(0, offset + done, offset + done + bytes)
      else if (!file.readNow(position + done, target, offset + done, bytes)) {
        return this.#readRunsLater(overlay, position + done, target, offset + done, length - done)
      }
      done += bytes
    }
    return undefined
  }

  /** Both files whole, then the absent sectors from the base; false when one of them would have to be waited for. */
  #merge(overlay: Overlay, position: number, target: Buffer, offset: number, length: number): boolean {
    const { words } = overlay.bitmap
    const base = this.#baseFile()
    if (base && !base.readNow(position, scratch, 0, length)) return false
    // Absent is judged before the overlay is read: what is found present here was in the overlay before it was read.
    const absent = absentSectors(words, position / SECTOR_BYTES, length / SECTOR_BYTES)
    if (!overlay.file.readNow(position, target, offset, length)) return false
    for (let index = 0; index < length / SECTOR_BYTES; index++) {
      if (absent[index] === 0) continue
      const at = index * SECTOR_BYTES
      if (base) scratch.copy(target, offset + at, at, at + SECTOR_BYTES)
      else target.fill(0, offset + at, offset + at + SECTOR_BYTES)
    }
    return true
  }

  async #readRunsLater(
    overlay: Overlay,
    position: number,
    target: Buffer,
    offset: number,
    length: number,
  ): Promise<void> {
    const { words } = overlay.bitmap
    for (let done = 0; done < length; ) {
      const sector = (position + done) / SECTOR_BYTES
      const present = isPresent(words, sector)
      const bytes = runLength(words, sector, (length - done) / SECTOR_BYTES, present) * SECTOR_BYTES
      const file = present ? overlay.file : this.#baseFile()
      if (file) await file.readLater(position + done, target, offset + done, bytes)
      else target.fill(0, offset + done, offset + done + bytes)
      done += bytes
    }
  }

  #baseFile(): Base | undefined {
    if (!this.#base && this.#standsOn) this.#base = this.#bases.take(this.#standsOn)
    return this.#base
  }

  /** How many sectors of the range the overlay does not hold yet. There must be an overlay. */
  absentSectors(position: number, length: number): number {
    return countAbsent(this.overlay.bitmap.words, position / SECTOR_BYTES, length / SECTOR_BYTES)
  }

  /** How many sectors of the range are there but deallocated. There must be an overlay. */
  deallocatedSectors(position: number, length: number): number {
    const { deallocated } = this.overlay.bitmap
    const count = length / SECTOR_BYTES
    return count - countAbsent(deallocated, position / SECTOR_BYTES, count)
  }

  /** Takes the range out of what is deallocated or anchored, and returns how many sectors were deallocated. */
  clearUnmapped(position: number, length: number): number {
    const { deallocated, anchored } = this.overlay.bitmap
    clearBits(anchored, position / SECTOR_BYTES, length / SECTOR_BYTES)
    return clearBits(deallocated, position / SECTOR_BYTES, length / SECTOR_BYTES)
  }

  /** Puts data into the overlay; it counts only once `markPresent` has been called. Throws VolumeError. */
  writeData(position: number, source: Buffer, offset: number, length: number): void {
    this.overlay.file.write(position, source, offset, length)
  }

  /** Makes sure that the overlay has room for the range. Throws VolumeError. */
  reserve(position: number, length: number): void {
    this.overlay.file.reserve(position, length)
  }

  /** Sets the bits of the range and returns how many were not set. */
  markPresent(position: number, length: number): number {
    return setPresent(this.overlay.bitmap.words, position / SECTOR_BYTES, length / SECTOR_BYTES)
  }
}

function moreRuns(words: Int32Array, first: number, count: number): boolean {
  let done = 0
  for (let runs = 0; runs < MERGE_ABOVE_RUNS; runs++) {
    done += runLength(words, first + done, count - done, isPresent(words, first + done))
    if (done >= count) return false
  }
  return true
}

const absentFlags = new Uint8Array(MERGE_MAX_BYTES / SECTOR_BYTES)

/** One byte a sector, 1 = absent; the array is the same for every call. */
function absentSectors(words: Int32Array, first: number, count: number): Uint8Array {
  for (let index = 0; index < count; index++) absentFlags[index] = isPresent(words, first + index) ? 0 : 1
  return absentFlags
}
