/**
 * One volume in one worker: admission to I/O by the control block, and the queue of what has to wait.
 *
 * An operation raises the worker's counter, looks at the gate, does its I/O and lowers the counter. It waits, in order,
 * when the gate is closed or when the overlay does not exist or is not open yet; while anything waits, later operations
 * queue behind it. Nothing holds the counter while it waits: whoever closed the gate waits for the counter.
 * A read in a thread pool does hold it, and the files stay open until it has ended.
 */
import {
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
import { hindrance, readFailure, VolumeError, writeFailure } from './volume-error.js'

/** The gate's word in shared memory is the truth and the notice may be missed (a worker that was attached in between). */
const GATE_POLL_MS = 20
const WAIT = Symbol('wait')
const NOTHING = Buffer.alloc(0)

export interface Operation {
  kind: 'read' | 'write' | 'pass'
  position: number
  buffer: Buffer
  offset: number
  length: number
  /** What reservations leave to who asks for it. */
  access: NexusAccess
}

interface Waiting extends Operation {
  resolve(): void
  reject(error: unknown): void
}

export class GatedVolume {
  readonly descriptor: VolumeDescriptor
  readonly control: ControlBlock
  readonly #store: SectorStore
  readonly #writer: ChargedWriter
  readonly #nobody: NexusAccess
  readonly #slot: number
  readonly #materialise: () => Promise<VolumeFiles>
  readonly #queue: Waiting[] = []
  #holds = 0
  #opening = false
  #underWay = 0
  #closing = false
  #closed = false
  #poll: NodeJS.Timeout | undefined

  /** `materialise` asks the storage engine for the volume's files; it rejects with VolumeError. */
  constructor(o: {
    descriptor: VolumeDescriptor
    slot: number
    bases: BaseFiles
    materialise: () => Promise<VolumeFiles>
  }) {
    this.descriptor = o.descriptor
    this.control = new ControlBlock(o.descriptor.control)
    this.#store = new SectorStore(o.bases, o.descriptor.spec.basePath)
    this.#writer = new ChargedWriter(this.#store, this.control, o.descriptor.spec)
    this.#nobody = new NexusAccess(this.control, NOBODY)
    this.#slot = o.slot
    this.#materialise = o.materialise
  }

  get gone(): boolean {
    return this.control.stage === VOLUME_STAGE.gone
  }

  get openFiles(): number {
    return this.#store.openFiles
  }

  /** Reads; see `BorrowedVolume.read`. */
  read(
    position: number,
    buffer: Buffer,
    offset: number,
    length: number,
    access: NexusAccess,
  ): undefined | Promise<void> {
    if (this.#queue.length === 0 || this.#holds > 0) {
      const outcome = this.#readNow(position, buffer, offset, length, access)
      if (outcome !== WAIT) return outcome
    }
    return this.#wait({ kind: 'read', position, buffer, offset, length, access })
  }

  /** Writes; see `BorrowedVolume.write`. */
  write(
    position: number,
    buffer: Buffer,
    offset: number,
    length: number,
    access: NexusAccess,
  ): undefined | Promise<void> {
    if (this.#queue.length === 0) {
      const outcome = this.#writeNow(position, buffer, offset, length, access)
      if (outcome !== WAIT) return outcome
    }
    // The caller's buffer is its own again when we return: it may be the one that the next packet is received in.
    return this.#wait({
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
    else if (this.#queue.length > 0 || !this.control.enter(this.#slot)) return false
    this.#holds++
    return true
  }

  unhold(): void {
    this.#holds--
    this.control.leave(this.#slot)
  }

  /** See `BorrowedVolume.admission`. */
  admission(): Promise<void> {
    const passed = this.#wait({
      kind: 'pass',
      position: 0,
      buffer: NOTHING,
      offset: 0,
      length: 0,
      access: this.#nobody,
    })
    if (this.#queue.length === 1) this.resume()
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
    for (let first = this.#queue[0]; first; first = this.#queue[0]) {
      try {
        const run = this.#now(first)
        if (run === WAIT) return
        this.#queue.shift()
        if (run !== undefined) run.then(first.resolve, first.reject)
        else first.resolve()
      } catch (error) {
        this.#queue.shift()
        first.reject(error)
      }
    }
    this.#closeWhenIdle()
  }

  #now({ kind, position, buffer, offset, length, access }: Operation): undefined | Promise<void> | typeof WAIT {
    if (kind === 'read') return this.#readNow(position, buffer, offset, length, access)
    if (kind === 'write') return this.#writeNow(position, buffer, offset, length, access)
    if (!this.#pass()) return WAIT
    this.control.leave(this.#slot)
    return undefined
  }

  /** Raises the counter if the gate is open, else sees to it that somebody looks again. */
  #pass(): boolean {
    if (this.control.enter(this.#slot)) return true
    this.#poll ??= setTimeout(() => this.resume(), GATE_POLL_MS)
    return false
  }

  #wait(operation: Operation): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ ...operation, resolve, reject })
    })
  }

  /** Raises the counter and says true, or starts what must happen first and says false. Throws 'gone', 'reserved', 'no-medium'. */
  #enter(writing: boolean, access: NexusAccess): boolean {
    for (;;) {
      // While it is held off, the engine does not act: what comes now is not too late, and may be what the holder waits for.
      if (this.#holds > 0) this.control.enterAgain(this.#slot)
      else if (!this.#pass()) return false
      const stage = this.control.stage
      if (stage > VOLUME_STAGE.materialised) {
        this.control.leave(this.#slot)
        throw hindrance(stage, this.descriptor.spec.volumeId)
      }
      const refusal = access.refuses(writing)
      if (refusal !== undefined) {
        this.control.leave(this.#slot)
        throw new VolumeError(
          refusal,
          `the logical unit of ${this.descriptor.spec.volumeId} is not for this session now`,
        )
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
      if (this.gone) return
      throw (writing ? writeFailure : readFailure)(files.overlayPath, error)
    }
  }

  #fetchFiles(): void {
    if (this.#opening) return
    this.#opening = true
    this.#materialise()
      .then(files => {
        this.descriptor.files = files
      })
      .catch((error: unknown) => this.#failWrites(error))
      .finally(() => {
        this.#opening = false
        this.resume()
      })
  }

  /** All that needed the overlay have the same answer; what is left (reads of a volume that nobody wrote) goes on. */
  #failWrites(error: unknown): void {
    const unwritten = this.control.stage === VOLUME_STAGE.unwritten
    const failed = this.#queue.filter(waiting => waiting.kind === 'write' || !unwritten)
    const kept = this.#queue.filter(waiting => !failed.includes(waiting))
    this.#queue.splice(0, this.#queue.length, ...kept)
    for (const waiting of failed) waiting.reject(error)
  }

  #readNow(
    position: number,
    target: Buffer,
    offset: number,
    length: number,
    access: NexusAccess,
  ): undefined | Promise<void> | typeof WAIT {
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
    if (!this.#closing || this.#closed || this.#underWay > 0 || this.#queue.length > 0) return
    this.#closed = true
    clearTimeout(this.#poll)
    this.#store.close()
  }
}
