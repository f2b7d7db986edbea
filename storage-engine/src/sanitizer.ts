/**
 * Sanitize operations of one volume [SBC-3 §4.11]: makes all of its data unreadable, in pieces, in the background.
 *
 * While one is under way the volume's stage keeps every borrower out, so nothing needs the gate. A persistent volume is marked first
 * (sanitize-marker.ts) and flushed before the mark is taken away; whenever the server or the machine dies in between, the next opening begins
 * again. What is erased is deallocated, also where a base shone through; what is overwritten is synced after each pass, since
 * passes that overtake each other in a cache would be one.
 */
import { setTimeout } from 'node:timers/promises'
import { type ControlBlock, VOLUME_STAGE } from '@scsipub/contract'
import { type Provisioning, SECTOR_BYTES, VolumeError, writeFailure } from '@scsipub/volume'
import { type Extent, inPieces } from './operations/pieces.js'
import type { SanitizeMarker, SanitizePlan } from './sanitize-marker.js'

const ERASE_PIECE_BYTES = 256 << 20
const OVERWRITE_PIECE_BYTES = 1 << 20
/** So much is overwritten before it is flushed, lest it fill the memory that others write to. */
const FLUSH_BYTES = 16 << 20
/** Overwriting goes no faster: whatever the disk could do more is for the others meanwhile. Bytes a millisecond. */
const OVERWRITE_PACE = (64 << 20) / 1000
/** PROGRESS INDICATION counts in 65536ths and never says that all is done [SPC-4 §4.5.2.4.4]. */
const PROGRESS_MAX = 0xffff

/** What it needs of the volume. */
export interface SanitizedVolume {
  readonly control: ControlBlock
  readonly descriptor: { readonly spec: { readonly sizeBytes: number; readonly blockBytes: number } }
  readonly store: { provisioning(): Provisioning; readonly base: unknown }
  flush(): Promise<void>
}

type Marker = Pick<SanitizeMarker, 'write' | 'remove' | 'read'>

export class Sanitizer {
  readonly #volume: SanitizedVolume
  readonly #marker: Marker
  #plan: SanitizePlan | undefined
  #running: Promise<void> = Promise.resolve()
  #stopping = false

  /** `marker`: where it is noted for whoever comes after this engine. */
  constructor(volume: SanitizedVolume, marker: Marker) {
    this.#volume = volume
    this.#marker = marker
  }

  /**
   * Begins an operation; the gate must be closed. `restricted`, with nothing done: the one that failed before wants a successor that is as strict.
   * Throws VolumeError with nothing done: 'space' when an overwritten volume would not fit its quota.
   */
  begin(plan: SanitizePlan): { restricted: boolean } {
    const { control, descriptor, store } = this.#volume
    const failed = control.stage === VOLUME_STAGE.sanitizeFailed
    if (failed && plan.allowExit && !this.#plan?.allowExit) return { restricted: true }
    const { sizeBytes } = descriptor.spec
    const sizeSectors = sizeBytes / SECTOR_BYTES
    if (plan.method === 'overwrite' && control.space.quotaSectors !== 0 && sizeSectors > control.space.quotaSectors)
      throw new VolumeError('space', 'the whole volume does not fit its quota')
    if (plan.method === 'erase' && control.stage === VOLUME_STAGE.unwritten && store.base === undefined)
      return { restricted: false }
    const provisioning = store.provisioning()
    try {
      this.#marker.write(plan, false)
    } catch (error) {
      throw writeFailure('the mark of a sanitize operation', error)
    }
    this.#start(plan, provisioning)
    return { restricted: false }
  }

  /** Takes up what an earlier server left; to be called before anybody borrows the volume. Throws when the mark is damaged. */
  resume(): void {
    const { control } = this.#volume
    const found = this.#marker.read()
    // The mark goes before the stage does: whoever died in between had finished.
    if (!found && isSanitizing(control)) control.stage = VOLUME_STAGE.materialised
    if (!found) return
    if (!found.failed) return this.#start(found.plan, this.#volume.store.provisioning())
    this.#plan = found.plan
    control.stage = VOLUME_STAGE.sanitizeFailed
  }

  /** Gives a failed operation up, where its asking allowed that; the gate must be closed. GOOD when none has failed. Throws VolumeError. */
  exitFailure(): { restricted: boolean } {
    const { control } = this.#volume
    if (control.stage !== VOLUME_STAGE.sanitizeFailed) return { restricted: false }
    if (!this.#plan?.allowExit) return { restricted: true }
    try {
      this.#marker.remove()
    } catch (error) {
      throw writeFailure('the mark of a sanitize operation', error)
    }
    control.stage = VOLUME_STAGE.materialised
    return { restricted: false }
  }

  /** Resolves when none is under way any more. Rejects with VolumeError: 'sanitize-failed' when it has failed, 'gone' when it was broken off. */
  async ended(): Promise<void> {
    await this.#running
    if (this.#stopping) throw new VolumeError('gone', 'the volume was closed while it was being sanitized')
    if (this.#volume.control.stage === VOLUME_STAGE.sanitizeFailed)
      throw new VolumeError('sanitize-failed', 'the sanitize operation has failed')
  }

  /** Breaks off, for the volume is about to be closed. The mark stays. */
  stop(): Promise<void> {
    this.#stopping = true
    return this.#running
  }

  #start(plan: SanitizePlan, provisioning: Provisioning): void {
    const { control } = this.#volume
    this.#plan = plan
    control.sanitizeProgress = 0
    control.stage = VOLUME_STAGE.sanitizing
    this.#running = this.#run(plan, provisioning).catch(() => this.#fail(plan))
  }

  async #run(plan: SanitizePlan, provisioning: Provisioning): Promise<void> {
    const { control, descriptor } = this.#volume
    const { sizeBytes, blockBytes } = descriptor.spec
    const whole: Extent = { position: 0, length: sizeBytes }
    const passes = plan.method === 'erase' ? 1 : plan.data.length / blockBytes
    for (let pass = 0; pass < passes && !this.#stopping; pass++) {
      const block = plan.data.subarray(pass * blockBytes, (pass + 1) * blockBytes)
      const began = performance.now()
      let unflushed = 0
      await inPieces(whole, plan.method === 'erase' ? ERASE_PIECE_BYTES : OVERWRITE_PIECE_BYTES, async piece => {
        if (this.#stopping) return
        if (plan.method === 'erase') provisioning.unmap(piece)
        else provisioning.fill(piece, block)
        const done = pass / passes + ((piece.first + piece.count) * SECTOR_BYTES) / sizeBytes / passes
        control.sanitizeProgress = Math.min(PROGRESS_MAX, Math.floor(done * 65536))
        unflushed += piece.count * SECTOR_BYTES
        if (plan.method === 'erase' || unflushed < FLUSH_BYTES) return
        unflushed = 0
        await this.#volume.flush()
        const bytes = (piece.first + piece.count) * SECTOR_BYTES
        await setTimeout(Math.max(0, began + bytes / OVERWRITE_PACE - performance.now()))
      })
      if (!this.#stopping) await this.#volume.flush()
    }
    if (this.#stopping) return
    this.#marker.remove()
    control.stage = VOLUME_STAGE.materialised
  }

  #fail(plan: SanitizePlan): void {
    if (this.#stopping) return
    this.#volume.control.stage = VOLUME_STAGE.sanitizeFailed
    try {
      this.#marker.write(plan, true)
    } catch {
      // The mark that is there makes the next opening try again, which is as safe.
    }
  }
}

function isSanitizing({ stage }: ControlBlock): boolean {
  return stage === VOLUME_STAGE.sanitizing || stage === VOLUME_STAGE.sanitizeFailed
}
