// What one snapshot may hold. Once it was seen after a crash that is known to the byte, and it may never hold anything else. Before, it is what the ledger of its
// disk says of the moment at which it was taken; of one that was not answered nobody knows that moment, so it may have anything that was written since it
// was asked for.

import type { DiskLedger, FoundDisk } from './disk-ledger.js'
import type { DiskOperation } from './disk-operation.js'
import { describeBytes, SECTOR_BYTES } from './sector-value.js'

export class SnapshotLedger {
  /** Its taking has been answered, and its removal not been asked for. */
  certain = false
  /** The snapshot that its disk is a clone of. */
  readonly below: string | undefined
  readonly #volume: string
  #allowed: DiskLedger
  #isTaken = false
  #seen: Buffer | undefined

  /** It is being asked for, of a disk with that ledger, which becomes its own. */
  constructor(volume: string, allowed: DiskLedger, below: string | undefined) {
    this.#volume = volume
    this.#allowed = allowed
    this.below = below
  }

  copy(): SnapshotLedger {
    const copy = new SnapshotLedger(this.#volume, this.#allowed.copy(), this.below)
    copy.certain = this.certain
    copy.#isTaken = this.#isTaken
    copy.#seen = this.#seen
    return copy
  }

  /** A write of the disk is begun. */
  written(volume: string, operation: DiskOperation): void {
    if (volume === this.#volume && !this.#isTaken) this.#allowed.begin(operation)
  }

  /** It was answered, when its disk had that ledger. */
  taken(allowed: DiskLedger): void {
    this.certain = true
    this.#isTaken = true
    this.#allowed = allowed
  }

  faults(disk: FoundDisk): string[] {
    if (!this.#seen) return this.#allowed.faults('powerCut', disk)
    if (this.#seen.equals(disk.content)) return []
    if (this.#seen.length !== disk.content.length)
      return [`has ${disk.content.length} bytes and had ${this.#seen.length}`]
    for (let at = 0; at < this.#seen.length; at += SECTOR_BYTES) {
      if (this.#seen.compare(disk.content, at, at + SECTOR_BYTES, at, at + SECTOR_BYTES) === 0) continue
      const sector = at / SECTOR_BYTES
      return [`sector ${sector} holds ${describeBytes(disk.content, at)} and held ${describeBytes(this.#seen, at)}`]
    }
    return []
  }

  /** Sectors that it may have. */
  get sizes(): readonly number[] {
    return this.#seen ? [this.#seen.length / SECTOR_BYTES] : this.#allowed.sizes
  }

  /** It is there: the moment at which it was taken has passed. */
  close(): void {
    this.certain = true
    this.#isTaken = true
  }

  /** It was found so, without faults. */
  settle(content: Buffer): void {
    this.close()
    this.#seen = content
  }
}
