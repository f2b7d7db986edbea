/**
 * The write to an overlay, with all that belongs to it: quota, data, bits, and the mark for the next flush. The one place where this is
 * done, for session workers under the gate's counter and for the storage engine behind the closed gate.
 */
import { type ControlBlock, SECTORS_PER_BITMAP_PAGE, type VolumeSpec } from '@scsipub/contract'
import { SECTOR_BYTES } from './sector-bits.js'
import type { SectorStore } from './sector-store.js'
import { VolumeError } from './volume-error.js'

export class ChargedWriter {
  readonly #store: SectorStore
  readonly #control: ControlBlock
  readonly #volumeId: string
  readonly #persistent: boolean

  constructor(store: SectorStore, control: ControlBlock, spec: Pick<VolumeSpec, 'volumeId' | 'persistence'>) {
    this.#store = store
    this.#control = control
    this.#volumeId = spec.volumeId
    this.#persistent = spec.persistence === 'persistent'
  }

  /**
   * Writes `length` bytes of `source` from `offset` at `position`; whole sectors, and the store has its overlay. Throws VolumeError; what was
   * there before may then be partly overwritten, what was not there is still absent.
   */
  write(position: number, source: Buffer, offset: number, length: number): void {
    const absent = this.#store.absentSectors(position, length)
    if (this.#control.everUnmapped) this.#chargeUnmapped(position, length, absent)
    else if (absent > 0 && !this.#control.space.charge(absent)) throw this.#quotaUsedUp()
    try {
      this.#store.writeData(position, source, offset, length)
    } catch (error) {
      if (absent > 0) this.#control.space.refund(absent)
      throw error
    }
    if (absent > 0) {
      const added = this.#store.markPresent(position, length)
      if (added < absent) this.#control.space.refund(absent - added)
    }
    if (this.#persistent) this.#markDirty(position, length)
  }

  /** Makes sure that a write there will find quota and room on the file system, while nobody else writes. Throws VolumeError 'space'. */
  reserve(position: number, length: number): void {
    const missing = this.#store.absentSectors(position, length) + this.#store.deallocatedSectors(position, length)
    if (!this.#control.space.charge(missing)) throw this.#quotaUsedUp()
    this.#control.space.refund(missing)
    this.#store.reserve(position, length)
  }

  #quotaUsedUp(): VolumeError {
    return new VolumeError('space', `the volume ${this.#volumeId} has used up its quota`)
  }

  /**
   * Books what is absent and what is deallocated, and makes the latter mapped before it is written: a process that dies in between leaves
   * zeros that are booked, never data in a sector that is said to hold none.
   */
  #chargeUnmapped(position: number, length: number, absent: number): void {
    const deallocated = this.#store.deallocatedSectors(position, length)
    const charged = absent + deallocated
    if (charged > 0 && !this.#control.space.charge(charged)) throw this.#quotaUsedUp()
    const cleared = this.#store.clearUnmapped(position, length)
    if (cleared < deallocated) this.#control.space.refund(deallocated - cleared)
  }

  /**
   * Marks the pages also when no bit is new: another worker may have set the bit and not yet marked its page, or died
   * between; a flush that follows this write must find the page.
   */
  #markDirty(position: number, length: number): void {
    const last = Math.floor((position + length - 1) / SECTOR_BYTES / SECTORS_PER_BITMAP_PAGE)
    for (let page = Math.floor(position / SECTOR_BYTES / SECTORS_PER_BITMAP_PAGE); page <= last; page++)
      this.#control.dirty.mark(page)
  }
}
