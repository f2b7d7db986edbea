/**
 * What UNMAP, WRITE SAME and SANITIZE do to the files of a volume: makes sectors deallocated, anchored, or mapped with one pattern, and keeps
 * the quota exact. Only for whoever has closed the gate; positions are in sectors.
 *
 *   state         present  deallocated  anchored    reads as         booked
 *   absent                                          base, or zeros
 *   mapped        x                                 overlay          x
 *   deallocated   x        x                        zeros
 *   anchored      x                     x           zeros            x
 *
 * A sector that is absent where there is no base reads as zeros and is booked by nobody: it is as good as deallocated and stays as it is.
 *
 * The order of the steps is such that the process may die between any two of them, and what is found then is the old data or zeros:
 *   unmap    hole in the overlay → present (over a base) → not anchored → deallocated. After the hole: zeros, still booked. Before presence
 *            is set, a sector of the base is still the base's: nothing was done to it.
 *   anchor,  not deallocated, not anchored → zeros or data in the overlay → present → anchored. After the first step: zeros,
 *   fill     booked. Data never lies in a sector that is said to hold none.
 * After a power cut the durable bitmap is taken, which knows of presence alone, and nothing is deallocated or anchored any more: what was
 * flushed reads as zeros all the same, and is booked until it is unmapped again. What was not flushed is old or new, as with a write.
 *
 * Left out: making a long operation short. Callers cut it into pieces.
 */
import { type ControlBlock, SECTORS_PER_BITMAP_PAGE } from '@scsipub/contract'
import type { MappedBitmap } from './bitmap-file.js'
import type { DataFile } from './data-file.js'
import type { Base } from './layer.js'
import { clearBits, copySetBits, countAbsent, isPresent, runLength, SECTOR_BYTES, setPresent } from './sector-bits.js'
import type { Overlay } from './sector-store.js'
import { VolumeError } from './volume-error.js'

/** What GET LBA STATUS tells apart [SBC-3 §5.6.2]. */
export const PROVISIONING_STATUS = { mapped: 0, deallocated: 1, anchored: 2 } as const
export type ProvisioningStatus = (typeof PROVISIONING_STATUS)[keyof typeof PROVISIONING_STATUS]

export interface SectorRange {
  readonly first: number
  readonly count: number
}

export interface ProvisionedRun extends SectorRange {
  readonly status: ProvisioningStatus
}

/** Data written in one call while a range is filled. */
const FILL_BYTES = 1 << 20

type Run = Omit<ProvisionedRun, 'first'>

/** What `Provisioning.runs` says of a volume that nobody has written to: what it stands on. */
export function runsOfBase(
  base: Base | undefined,
  range: SectorRange,
  options: { blockSectors: number; limit: number },
): ProvisionedRun[] {
  return collect(range, options, (first, count) => baseRun(base, first, count))
}

function baseRun(base: Base | undefined, first: number, count: number): Run {
  const { count: length, mapped } = base?.run(first, count) ?? { count, mapped: false }
  return { count: length, status: mapped ? PROVISIONING_STATUS.mapped : PROVISIONING_STATUS.deallocated }
}

/** `runOf` tells of a first run of at most `count` sectors; here they become whole blocks, and neighbours one run. */
function collect(
  { first, count }: SectorRange,
  { blockSectors, limit }: { blockSectors: number; limit: number },
  runOf: (first: number, count: number) => Run,
): ProvisionedRun[] {
  const runs: ProvisionedRun[] = []
  for (let done = 0; done < count; ) {
    const found = runOf(first + done, count - done)
    const whole = found.count - (found.count % blockSectors)
    const next: Run =
      whole > 0 ? { ...found, count: whole } : { count: blockSectors, status: PROVISIONING_STATUS.mapped }
    const last = runs.at(-1)
    if (last && last.status === next.status) runs[runs.length - 1] = { ...last, count: last.count + next.count }
    else if (runs.length === limit) break
    else runs.push({ first: first + done, ...next })
    done += next.count
  }
  return runs
}

export class Provisioning {
  readonly #overlay: DataFile
  readonly #bitmap: MappedBitmap
  readonly #control: ControlBlock
  readonly #base: Base | undefined
  readonly #baseSectors: number

  constructor({ file, bitmap }: Overlay, control: ControlBlock, base: Base | undefined) {
    this.#overlay = file
    this.#bitmap = bitmap
    this.#control = control
    this.#base = base
    this.#baseSectors = Math.ceil((base?.sizeBytes ?? 0) / SECTOR_BYTES)
  }

  /** Deallocates a range: it reads as zeros and counts nothing. Throws VolumeError; a part may be zeros then, and is booked. */
  unmap({ first, count }: SectorRange): void {
    const { words, deallocated, anchored } = this.#bitmap
    const booked = this.#booked(first, count)
    this.#control.setEverUnmapped()
    this.#overlay.punch(first * SECTOR_BYTES, count * SECTOR_BYTES)
    const overBase = Math.min(count, this.#baseSectors - first)
    if (overBase > 0) setPresent(words, first, overBase)
    this.#markDirty(first, count)
    clearBits(anchored, first, count)
    copySetBits(words, deallocated, first, count)
    this.#control.space.refund(booked)
  }

  /** Makes a range zeros with room reserved for writes to it. Throws VolumeError 'space' with nothing done when there is none. */
  anchor({ first, count }: SectorRange): void {
    this.#control.setEverUnmapped()
    this.zero({ first, count })
    setPresent(this.#bitmap.anchored, first, count)
  }

  /** Writes zeros: mapped and booked, as any data. Throws VolumeError; 'space' with nothing done. */
  zero({ first, count }: SectorRange): void {
    this.#map(first, count, () => this.#overlay.zero(first * SECTOR_BYTES, count * SECTOR_BYTES))
  }

  /** Writes `pattern`, a whole number of sectors that divides the range, over and over. Throws VolumeError; 'space' with nothing done. */
  fill({ first, count }: SectorRange, pattern: Buffer): void {
    const length = count * SECTOR_BYTES
    const repeats = Math.min(Math.max(1, Math.floor(FILL_BYTES / pattern.length)), length / pattern.length)
    const data = Buffer.allocUnsafeSlow(repeats * pattern.length).fill(pattern)
    this.#map(first, count, () => {
      for (let done = 0; done < length; done += data.length)
        this.#overlay.write(first * SECTOR_BYTES + done, data, 0, Math.min(data.length, length - done))
    })
  }

  /** Books what is not yet booked, stores, and makes the range present. */
  #map(first: number, count: number, store: () => void): void {
    const { words, deallocated, anchored } = this.#bitmap
    const missing = count - this.#booked(first, count)
    if (missing > 0 && !this.#control.space.charge(missing))
      throw new VolumeError('space', 'the volume has used up its quota')
    clearBits(anchored, first, count)
    clearBits(deallocated, first, count)
    try {
      store()
    } catch (error) {
      // What was deallocated is mapped now, and stays booked; what was absent still is.
      this.#control.space.refund(countAbsent(words, first, count))
      throw error
    }
    setPresent(words, first, count)
    this.#markDirty(first, count)
  }

  /**
   * The states of at most `count` sectors from `first`, in runs of whole blocks of `blockSectors`; at most `limit` runs. A block that is
   * not wholly in one state counts as mapped.
   */
  runs(
    { first, count }: SectorRange,
    { blockSectors, limit }: { blockSectors: number; limit: number },
  ): ProvisionedRun[] {
    return collect({ first, count }, { blockSectors, limit }, (at, length) => this.#run(at, length))
  }

  #run(first: number, count: number): Run {
    const { words, deallocated, anchored } = this.#bitmap
    let length = count
    for (const bits of [words, deallocated, anchored]) length = runLength(bits, first, length, isPresent(bits, first))
    if (!isPresent(words, first)) return baseRun(this.#base, first, length)
    const status = isPresent(anchored, first)
      ? PROVISIONING_STATUS.anchored
      : isPresent(deallocated, first)
        ? PROVISIONING_STATUS.deallocated
        : PROVISIONING_STATUS.mapped
    return { count: length, status }
  }

  /** Sectors of the range that the quota counts. */
  #booked(first: number, count: number): number {
    const { words, deallocated } = this.#bitmap
    return countAbsent(deallocated, first, count) - countAbsent(words, first, count)
  }

  #markDirty(first: number, count: number): void {
    const last = Math.floor((first + count - 1) / SECTORS_PER_BITMAP_PAGE)
    for (let page = Math.floor(first / SECTORS_PER_BITMAP_PAGE); page <= last; page++) this.#control.dirty.mark(page)
  }
}
