/**
 * One volume in one worker: admission to I/O by the control block, and the queue of what has to wait.
 *
 * An operation raises the worker's counter, looks at the gate, does its I/O and lowers the counter. It waits, in order,
 * when the gate is closed or when the overlay does not exist or is not open yet; while anything waits, later operations
 * queue behind it. Nothing holds the counter while it waits: whoever closed the gate waits for the counter.
 * A read in a thread pool does hold it, and the files stay open until it has ended.
 *
 * When the stage says that the volume was replaced (other files, another size), all wait in the same queue until the new descriptor is there, from
 * a notice or for the asking; then it goes on by the new control block and the new files. Nothing can be under way at that moment: the engine has waited for it.
 */
import {
  baseOf,
  ControlBlock,
  NexusAccess,
  NOBODY,
  VOLUME_STAGE,
  type VolumeDescriptor,
  type VolumeFiles,
} from '@scsipub/contract'
import type { BaseFiles } from './base-files.js'
import { ChargedWriter } from './charged-writer.js'
import { SectorStore } from './sector-store.js'
import { hindrance, notForNow, readFailure, writeFailure } from './volume-error.js'
import type { VolumeSource } from './volume-source.js'
import { type Operation, WAIT, WaitingLine } from './waiting-line.js'

/** The gate's word in shared memory is the truth and the notice may be missed (a worker that was attached in between). */
const GATE_POLL_MS = 20
const PASS = { kind: 'pass', position: 0, buffer: Buffer.alloc(0), offset: 0, length: 0 } as const

type Outcome = undefined | Promise<void>
export class GatedVolume {
  descriptor: VolumeDescriptor
  control: ControlBlock
  sizeBytes: number
  #store: SectorStore
  #writer: ChargedWriter
  readonly #bases: BaseFiles
  readonly #nobody: NexusAccess
  readonly #slot: number
  readonly #engine: VolumeSource
  readonly #line = new WaitingLine()
  #holds = 0
  #asking = false
  #underWay = 0
  #closing = false
  #closed = false
  #poll: NodeJS.Timeout | undefined

  constructor(o: { descriptor: VolumeDescriptor; slot: number; bases: BaseFiles; engine: VolumeSource }) {
    const { descriptor } = o
    this.descriptor = { ...descriptor }
    this.control = new ControlBlock(descriptor.control)
    this.sizeBytes = descriptor.spec.sizeBytes
    this.#store = new SectorStore(o.bases, baseOf(descriptor))
    this.#writer = new ChargedWriter(this.#store, this.control, descriptor.spec)
    this.#nobody = new NexusAccess(this, NOBODY)
    this.#bases = o.bases
    this.#slot = o.slot
    this.#engine = o.engine
    if (this.replaced) this.#renew()
  }

  get gone(): boolean {
    return this.control.stage === VOLUME_STAGE.gone
  }

  /** Whether there is a new descriptor that is not here yet. */
  get replaced(): boolean {
    return this.control.stage === VOLUME_STAGE.replaced
  }

  /** Goes on by the descriptor of what has replaced the volume. Does nothing when it has not been replaced, or has gone on already. */
  replace(descriptor: VolumeDescriptor): void {
    if (!this.replaced || this.#closed) return
    if (this.#holds > 0 || this.#underWay > 0) throw new Error('a volume was replaced while I/O was in flight')
    this.#store.close()
    this.descriptor = { ...descriptor }
    this.control = new ControlBlock(descriptor.control)
    this.sizeBytes = descriptor.spec.sizeBytes
    this.#store = new SectorStore(this.#bases, baseOf(descriptor))
    this.#writer = new ChargedWriter(this.#store, this.control, descriptor.spec)
    this.resume()
  }

  get openFiles(): number {
    return this.#store.openFiles
  }

  /** Reads; see `BorrowedVolume.read`. */
  read(position: number, buffer: Buffer, offset: number, length: number, access: NexusAccess): Outcome {
    if (this.#line.length === 0 || this.#holds > 0) {
      const outcome = this.#readNow(position, buffer, offset, length, access)
      if (outcome !== WAIT) return outcome
    }
    return this.#line.add({ kind: 'read', position, buffer, offset, length, access })
  }

  /** Writes; see `BorrowedVolume.write`. */
  write(position: number, buffer: Buffer, offset: number, length: number, access: NexusAccess): Outcome {
    if (this.#line.length === 0) {
      const outcome = this.#writeNow(position, buffer, offset, length, access)
      if (outcome !== WAIT) return outcome
    }
    // The caller's buffer is its own again when we return: it may be the one that the next packet is received in.
    return this.#line.add({
      kind: 'write',
      position,
      buffer: Buffer.from(buffer.subarray(offset, offset + length)),
      offset: 0,
      length,
      access,
    })
  }

  /** See `BorrowedVolume.hold`. */
  hold(again: boolean): boolean {
    if (again) this.control.enterAgain(this.#slot)
    else if (this.#line.length > 0 || !this.control.enter(this.#slot)) return false
    else if (this.#stepBack()) return false
    this.#holds++
    return true
  }

  unhold(): void {
    this.#holds--
    this.control.leave(this.#slot)
  }

  /** See `BorrowedVolume.admission`. */
  admission(): Promise<void> {
    const passed = this.#line.add({ ...PASS, access: this.#nobody })
    if (this.#line.length === 1) this.resume()
    return passed
  }

  /** Closes the files, as soon as nothing is under way or waiting. */
  close(): void {
    this.#closing = true
    this.#closeWhenIdle()
  }

  /** The gate may be open again: takes up what waits, in order. */
  resume(): void {
    clearTimeout(this.#poll)
    this.#poll = undefined
    this.#line.advance(this.#now)
    this.#closeWhenIdle()
  }

  readonly #now = ({ kind, position, buffer, offset, length, access }: Operation) => {
    if (kind === 'read') return this.#readNow(position, buffer, offset, length, access)
    if (kind === 'write') return this.#writeNow(position, buffer, offset, length, access)
    if (!this.#pass() || this.#stepBack()) return WAIT
    this.control.leave(this.#slot)
    return undefined
  }

  /** Leaves again, and asks for what has replaced the volume, if something has; tells so. */
  #stepBack(): boolean {
    if (!this.replaced) return false
    this.control.leave(this.#slot)
    this.#renew()
    return true
  }

  /** Raises the counter if the gate is open, else sees to it that somebody looks again. */
  #pass(): boolean {
    if (this.control.enter(this.#slot)) return true
    this.#poll ??= setTimeout(() => this.resume(), GATE_POLL_MS)
    return false
  }

  /** Raises the counter and says true, or starts what must happen first and says false. Throws 'gone', 'reserved', 'no-medium'. */
  #enter(writing: boolean, access: NexusAccess): boolean {
    for (;;) {
      // While it is held off, the engine does not act: what comes now is not too late, and may be what the holder waits for.
      if (this.#holds > 0) this.control.enterAgain(this.#slot)
      else if (!this.#pass()) return false
      const stage = this.control.stage
      if (stage > VOLUME_STAGE.materialised) {
        if (this.#stepBack()) return false
        this.control.leave(this.#slot)
        throw hindrance(stage, this.descriptor.spec.volumeId)
      }
      const refusal = access.refuses(writing)
      if (refusal !== undefined) {
        this.control.leave(this.#slot)
        throw notForNow(refusal, this.descriptor.spec.volumeId)
      }
      // Another worker may have written first; then even a read needs the overlay.
      if (this.#store.hasOverlay || (!writing && stage === VOLUME_STAGE.unwritten)) return true
      this.control.leave(this.#slot)
      if (!this.descriptor.files) {
        this.#fetchFiles()
        return false
      }
      this.#openOverlay(this.descriptor.files, writing)
    }
  }

  #openOverlay(files: VolumeFiles, writing: boolean): void {
    try {
      this.#store.openOverlay(files, this.descriptor.spec.sizeBytes)
    } catch (error) {
      // The volume has ended or was replaced in between; the next look says so.
      if (this.control.stage !== VOLUME_STAGE.materialised) return
      throw (writing ? writeFailure : readFailure)(files.overlayPath, error)
    }
  }

  #fetchFiles(): void {
    this.#ask(async () => {
      const { descriptor } = this
      descriptor.files = await this.#engine.materialise()
    })
  }

  #renew(): void {
    this.#ask(async () => this.replace(await this.#engine.renew()))
  }

  /**
   * Asks the engine for one thing at a time, and looks again at what waits when the answer is there. When there is none, all that needed it
   * have the same error; what is left (reads of a volume that nobody wrote) goes on.
   */
  #ask(ask: () => Promise<void>): void {
    if (this.#asking) return
    this.#asking = true
    ask()
      .catch((error: unknown) => {
        const unwritten = this.control.stage === VOLUME_STAGE.unwritten
        this.#line.fail(error, ({ kind }) => kind === 'write' || !unwritten)
      })
      .finally(() => {
        this.#asking = false
        this.resume()
      })
  }

  #readNow(
    position: number,
    target: Buffer,
    offset: number,
    length: number,
    access: NexusAccess,
  ): Outcome | typeof WAIT {
    if (!this.#enter(false, access)) return WAIT
    let cold: undefined | Promise<void>
    try {
      cold = this.#store.read(position, target, offset, length)
    } catch (error) {
      this.control.leave(this.#slot)
      throw error
    }
    if (cold !== undefined) return this.#finish(cold)
    this.control.leave(this.#slot)
    return undefined
  }

  async #finish(cold: Promise<void>): Promise<void> {
    this.#underWay++
    try {
      await cold
    } finally {
      this.control.leave(this.#slot)
      this.#underWay--
      this.#closeWhenIdle()
    }
  }

  #writeNow(
    position: number,
    source: Buffer,
    offset: number,
    length: number,
    access: NexusAccess,
  ): undefined | typeof WAIT {
    if (!this.#enter(true, access)) return WAIT
    try {
      this.#writer.write(position, source, offset, length)
    } finally {
      this.control.leave(this.#slot)
    }
    return undefined
  }

  #closeWhenIdle(): void {
    if (!this.#closing || this.#closed || this.#underWay > 0 || this.#line.length > 0) return
    this.#closed = true
    clearTimeout(this.#poll)
    this.#store.close()
  }
}
