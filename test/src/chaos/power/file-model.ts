// One file as a disk with a volatile cache has it: for each sector what is certainly there, and what was written since, in order. A loss of power leaves
// of each sector any of these, independently: writes are dropped, reordered, and torn between the sectors of one page.
//
// Sizes are metadata and change in their order: a shorter size that is there has taken away what lay behind it, and what was written after a
// shortening is there only with it. Zeroed ranges count as written zeros. Left out: rubbish in sectors that were never written, which no file
// system shows in a file.

import type { Dice } from '../dice.js'

export const SECTOR_BYTES = 512
const PAGE_SECTORS = 8
const ZEROS = Buffer.alloc(SECTOR_BYTES)

interface Version {
  readonly at: number
  readonly bytes: Buffer
}

interface Size {
  readonly at: number
  readonly bytes: number
}

/** What a file is at an instant. */
export interface FileContent {
  readonly sizeBytes: number
  /** Sectors that may not be zeros; what lies behind the size does not count. */
  readonly sectors: ReadonlyMap<number, Buffer>
}

/** How much of what was not synced has reached the disk. */
type Fate = 'nothing' | 'everything' | 'sectors' | 'pages'

export class FileModel {
  /** The first version is certainly on the disk; a sector without versions is zeros. */
  readonly #sectors = new Map<number, Version[]>()
  #sizes: Size[] = [{ at: 0, bytes: 0 }]
  /** Sectors with more than one version. */
  readonly #pending = new Set<number>()

  /** A file that is on the disk like this. */
  static of(content: FileContent): FileModel {
    const file = new FileModel()
    file.#sizes = [{ at: 0, bytes: content.sizeBytes }]
    for (const [sector, bytes] of content.sectors) file.#sectors.set(sector, [{ at: 0, bytes }])
    return file
  }

  copy(): FileModel {
    const copy = new FileModel()
    for (const [sector, versions] of this.#sectors) copy.#sectors.set(sector, versions.slice())
    for (const sector of this.#pending) copy.#pending.add(sector)
    copy.#sizes = this.#sizes.slice()
    return copy
  }

  get sizeBytes(): number {
    return this.#sizes.at(-1)!.bytes
  }

  /** `at` is the time, which only grows. */
  write(at: number, position: number, data: Buffer): void {
    for (let done = 0; done < data.length; ) {
      const sector = Math.floor((position + done) / SECTOR_BYTES)
      const offset = (position + done) % SECTOR_BYTES
      const length = Math.min(SECTOR_BYTES - offset, data.length - done)
      const bytes = Buffer.from(this.#latest(sector))
      data.copy(bytes, offset, done, done + length)
      this.#put(sector, { at, bytes })
      done += length
    }
    if (position + data.length > this.sizeBytes) this.#sizes.push({ at, bytes: position + data.length })
  }

  truncate(at: number, sizeBytes: number): void {
    if (sizeBytes < this.sizeBytes) this.#clear(at, sizeBytes, Number.POSITIVE_INFINITY)
    if (sizeBytes !== this.sizeBytes) this.#sizes.push({ at, bytes: sizeBytes })
  }

  allocate(at: number, end: number): void {
    if (end > this.sizeBytes) this.truncate(at, end)
  }

  zero(at: number, position: number, length: number): void {
    this.#clear(at, position, position + length)
  }

  /** All that was done before `at` is on the disk now. */
  synced(at: number): void {
    for (const sector of [...this.#pending]) {
      const versions = this.#sectors.get(sector)!
      const last = versions.findLastIndex(version => version.at < at)
      if (last > 0) versions.splice(0, last)
      if (versions.length === 1) this.#pending.delete(sector)
    }
    const last = this.#sizes.findLastIndex(size => size.at < at)
    if (last > 0) this.#sizes.splice(0, last)
  }

  /** As whoever reads it sees it. */
  now(): FileContent {
    const sectors = new Map([...this.#sectors].map(([sector, versions]) => [sector, versions.at(-1)!.bytes]))
    return { sizeBytes: this.sizeBytes, sectors }
  }

  /** What may be left of it when the power fails. */
  afterPowerCut(dice: Dice): FileContent {
    const fate = dice.weighted<Fate>({ nothing: 3, everything: 2, sectors: 4, pages: 2 })
    const reached = dice.fraction()
    const sizeIndex =
      fate === 'everything' ? this.#sizes.length - 1 : fate === 'nothing' ? 0 : dice.below(this.#sizes.length)
    const sizeBytes = this.#sizes[sizeIndex]!.bytes
    const sectors = new Map<number, Buffer>()
    let page = -1
    let pageReached = false
    for (const [sector, versions] of [...this.#sectors].sort(([one], [other]) => one - other)) {
      const possible = this.#possible(sector, versions, sizeIndex)
      let chosen = possible[0]
      if (possible.length > 1) {
        const ownPage = Math.floor(sector / PAGE_SECTORS)
        if (ownPage !== page) pageReached = dice.chance(reached)
        page = ownPage
        const newest =
          fate === 'everything' || (fate === 'pages' ? pageReached : fate === 'sectors' && dice.chance(reached))
        if (newest) chosen = possible.at(-1)
        else if (fate === 'sectors') chosen = dice.pick(possible.slice(0, -1))
      }
      if (chosen) sectors.set(sector, chosen.bytes)
    }
    return { sizeBytes, sectors }
  }

  /** Versions of a sector that go with a size: not before a shortening that has happened, not after one that has not. */
  #possible(sector: number, versions: readonly Version[], sizeIndex: number): readonly Version[] {
    if (versions.length === 1 || this.#sizes.length === 1) return versions
    const shortenings = this.#sizes.filter(
      (size, index) =>
        index > 0 && size.bytes < this.#sizes[index - 1]!.bytes && size.bytes < (sector + 1) * SECTOR_BYTES,
    )
    const sizeAt = this.#sizes[sizeIndex]!.at
    const from = shortenings.findLast(({ at }) => at <= sizeAt)?.at ?? 0
    const to = shortenings.find(({ at }) => at > sizeAt)?.at ?? Number.POSITIVE_INFINITY
    // The first one that goes with the size is what the sector was when the shortening happened.
    const first = Math.max(
      0,
      versions.findLastIndex(({ at }) => at <= from),
    )
    return versions.slice(first).filter(({ at }, index) => index === 0 || at < to)
  }

  #latest(sector: number): Buffer {
    return this.#sectors.get(sector)?.at(-1)?.bytes ?? ZEROS
  }

  #put(sector: number, version: Version): void {
    const versions = this.#sectors.get(sector) ?? [{ at: 0, bytes: ZEROS }]
    versions.push(version)
    this.#sectors.set(sector, versions)
    this.#pending.add(sector)
  }

  /** Zeros from byte `start` to byte `end`, as far as there is anything else. */
  #clear(at: number, start: number, end: number): void {
    for (const sector of this.#sectors.keys()) {
      const from = Math.max(start - sector * SECTOR_BYTES, 0)
      const to = Math.min(end - sector * SECTOR_BYTES, SECTOR_BYTES)
      if (from >= to) continue
      this.#put(sector, { at, bytes: Buffer.from(this.#latest(sector)).fill(0, from, to) })
    }
  }
}
