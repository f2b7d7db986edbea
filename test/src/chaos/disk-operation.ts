// What a load does to a disk: one operation as a value, and how the next one is chosen. Operations that are under way at one time never touch the same
// sector, as with any initiator that wants to know what it will read.

import type { Dice } from './dice.js'

export type OperationName =
  | 'write'
  /** Durable when it is answered. */
  | 'writeFua'
  | 'writeAtomic'
  | 'compareAndWrite'
  /** A COMPARE AND WRITE whose comparison fails: changes nothing. */
  | 'miscompare'
  | 'orWrite'
  | 'unmap'
  | 'anchor'
  | 'writeSame'
  /** WRITE SAME of zeros, without and with UNMAP. */
  | 'writeZeros'
  | 'unmapSame'
  /** SYNCHRONIZE CACHE of the whole disk. */
  | 'flush'
  | 'sanitize'

export interface DiskOperation {
  /** Unique in the run, above `BASE_TAG`; the tag of what it writes. */
  readonly id: number
  readonly name: OperationName
  /** Index of the disk. */
  readonly disk: number
  /** Sectors. */
  readonly first: number
  readonly count: number
}

/** Parts of a disk that the load goes for. */
export interface Window {
  readonly first: number
  readonly count: number
}

export interface LoadedDisk {
  readonly windows: readonly Window[]
  /** How often each operation is chosen. */
  readonly weights: Readonly<Partial<Record<OperationName, number>>>
}

/** The disk as a load has it whose size is `sectors()` by now. */
export function loadedAt(disk: LoadedDisk, sectors: () => number): LoadedDisk {
  return {
    weights: disk.weights,
    get windows() {
      const end = sectors()
      return disk.windows
        .filter(({ first }) => first < end)
        .map(({ first, count }) => ({ first, count: Math.min(count, end - first) }))
    },
  }
}

/** The most sectors of one operation, where that is less than a large write has. */
const MOST: Readonly<Partial<Record<OperationName, number>>> = {
  writeAtomic: 256,
  compareAndWrite: 64,
  miscompare: 64,
  orWrite: 128,
}
const LARGE_SECTORS = 2048
const TRIES = 20
/** Longer than any disk; a finite number, for it goes through JSON. */
const WHOLE_DISK = 2 ** 52

export class OperationChooser {
  readonly #dice: Dice
  readonly #disks: readonly LoadedDisk[]
  readonly #underWay = new Set<DiskOperation>()
  #nextId: number

  /** `firstId`: above all that the run has used. */
  constructor(dice: Dice, disks: readonly LoadedDisk[], firstId: number) {
    this.#dice = dice
    this.#disks = disks
    this.#nextId = firstId
  }

  get nextId(): number {
    return this.#nextId
  }

  /** An id for something of the caller's own. */
  takeId(): number {
    return this.#nextId++
  }

  /** An operation that does not meet another one; undefined when none was found. It counts as under way until `end`. */
  begin(): DiskOperation | undefined {
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const candidate = this.#candidate()
      if ([...this.#underWay].some(other => meet(candidate, other))) continue
      this.#underWay.add(candidate)
      this.#nextId++
      return candidate
    }
    return undefined
  }

  end(operation: DiskOperation): void {
    this.#underWay.delete(operation)
  }

  #candidate(): DiskOperation {
    const dice = this.#dice
    const disk = dice.below(this.#disks.length)
    const { windows, weights } = this.#disks[disk]!
    const name = dice.weighted<OperationName>(weights)
    const id = this.#nextId
    if (name === 'flush') return { id, name, disk, first: 0, count: 0 }
    if (name === 'sanitize') return { id, name, disk, first: 0, count: WHOLE_DISK }
    const window = dice.pick(windows)
    const most = Math.min(MOST[name] ?? LARGE_SECTORS, window.count)
    // Half of them are small, a few are large; any sector may be the first.
    const count = dice.chance(0.5)
      ? dice.between(1, Math.min(16, most))
      : Math.max(1, Math.floor(most * dice.fraction() ** 3))
    return { id, name, disk, first: window.first + dice.below(window.count - count + 1), count }
  }
}

function meet(one: DiskOperation, other: DiskOperation): boolean {
  if (one.disk !== other.disk) return false
  return one.first < other.first + other.count && other.first < one.first + one.count
}
