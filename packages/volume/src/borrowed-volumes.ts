/**
 * The volumes that a session worker (or the storage engine, for exclusive work) has borrowed: one `GatedVolume` for each
 * volume, however many sessions use it.
 *
 * A borrowed volume costs memory alone until its first I/O; the base is opened by the first read that needs it, overlay
 * and bitmap by the first write, or by the first read of a volume that somebody has written to.
 */
import {
  type Borrower,
  type BorrowerRequest,
  type ControlBlock,
  type EngineReplies,
  type ExclusiveName,
  type ExclusiveOperation,
  type ExclusiveResults,
  NexusAccess,
  NOBODY,
  type Requester,
  VOLUME_STAGE,
  type VolumeDescriptor,
} from '@scsipub/contract'
import { BaseFiles } from './base-files.js'
import { GatedVolume } from './gated-volume.js'
import { SECTOR_BYTES } from './sector-bits.js'
import { fromReply, VolumeSource } from './volume-source.js'

/** `slot`: the worker's, in the control blocks. `engine`: where files and flushes are asked for. */
export interface BorrowContext {
  slot: number
  engine: Pick<Requester<BorrowerRequest, EngineReplies>, 'ask'>
}

export interface BorrowedVolume {
  /** The present size: a volume may grow while it is borrowed. */
  readonly sizeBytes: number
  readonly blockBytes: number
  /** As it is known here: for another worker to borrow it by. */
  readonly descriptor: VolumeDescriptor
  /** Words that all borrowers of the volume share: for a look at the state of its logical unit. Another block when the volume was replaced: not to be kept. */
  readonly control: ControlBlock
  /**
   * Reads `length` bytes at `position` into `target` from `offset` on; both are multiples of 512. Undefined: it is done. A
   * promise: it has to wait, and the buffer is not the caller's until it settles. Throws or rejects with VolumeError.
   */
  read(position: number, target: Buffer, offset: number, length: number): undefined | Promise<void>
  /**
   * Writes, in the same terms, but `source` is the caller's again at once. What it has done survives the death of the process;
   * `flush` makes it survive the machine's.
   */
  write(position: number, source: Buffer, offset: number, length: number): undefined | Promise<void>
  /** Makes every write that was answered before durable. Nothing to do on an ephemeral volume. Rejects with VolumeError. */
  flush(): undefined | Promise<void>
  /**
   * Keeps exclusive operations away until `unhold`, so that several reads see nothing of them in between; false, with nothing held, when one is
   * under way or has to go first. With `again` the caller holds already, and it is always true. To be held through a synchronous section, or
   * through a read that was begun while it is held; never while waiting for an initiator.
   */
  hold(again: boolean): boolean
  unhold(): void
  /** Resolves when a refused `hold` may be tried again. Rejects with VolumeError. */
  admission(): Promise<void>
  /**
   * Has the storage engine do an operation that must be alone on the volume. It is done once this resolves, and is not begun after it rejects with
   * VolumeError 'busy'. Make it durable by `flush`. The operation's data is the caller's again at once.
   */
  exclusive<K extends ExclusiveName>(operation: Extract<ExclusiveOperation, { name: K }>): Promise<ExclusiveResults[K]>
  /** Resolves when no sanitize operation is under way any more. Rejects with VolumeError, 'sanitize-failed' when it has failed. */
  sanitized(): Promise<void>
  /** What the quota counts, in bytes; `quotaBytes` 0 = none. */
  readonly usage: { readonly usedBytes: number; readonly quotaBytes: number }
  /** A sanitize operation that is under way or has failed, `progress` in 65536ths. */
  readonly sanitize: { readonly state: 'inProgress' | 'failed'; readonly progress: number } | undefined
  /** Gives the volume back. What is under way or waiting is still carried out. A second call does nothing. */
  release(): void
}

interface Entry {
  volume: GatedVolume
  borrowers: number
}

export class BorrowedVolumes {
  readonly #context: BorrowContext
  readonly #bases = new BaseFiles()
  readonly #entries = new Map<string, Entry>()

  constructor(context: BorrowContext) {
    this.#context = context
  }

  /** Borrows a volume for a session. Each call has its own `release`. */
  borrow(descriptor: VolumeDescriptor, borrower = NOBODY): BorrowedVolume {
    const { volumeId } = descriptor.spec
    let entry = this.#entries.get(volumeId)
    // A volume that was closed and opened again has a new control block; the old one's borrowers keep the old one.
    if (!entry || entry.volume.gone) {
      entry = { volume: this.#gated(descriptor), borrowers: 0 }
      this.#entries.set(volumeId, entry)
    }
    entry.borrowers++
    return new Loan({
      volume: entry.volume,
      borrower,
      engine: this.#context.engine,
      giveBack: this.#returner(volumeId, entry),
    })
  }

  /** The engine has opened the gate of a volume: takes up what waits there. */
  gateOpened(volumeId: string): void {
    this.#entries.get(volumeId)?.volume.resume()
  }

  /** The volume has other files or another size: goes on by the new descriptor, if it is borrowed. */
  replaced(descriptor: VolumeDescriptor): void {
    this.#entries.get(descriptor.spec.volumeId)?.volume.replace(descriptor)
  }

  /** Volumes borrowed now. */
  get count(): number {
    return this.#entries.size
  }

  /** Descriptors open now for the borrowed volumes and their bases. */
  get openFiles(): number {
    let files = this.#bases.openFiles
    for (const { volume } of this.#entries.values()) files += volume.openFiles
    return files
  }

  #gated(descriptor: VolumeDescriptor): GatedVolume {
    const { slot, engine } = this.#context
    return new GatedVolume({ descriptor, slot, bases: this.#bases, engine: new VolumeSource(engine, descriptor) })
  }

  #returner(volumeId: string, entry: Entry): () => void {
    return () => {
      if (--entry.borrowers > 0) return
      if (this.#entries.get(volumeId) === entry) this.#entries.delete(volumeId)
      entry.volume.close()
    }
  }
}

class Loan implements BorrowedVolume {
  readonly blockBytes: number
  readonly #volume: GatedVolume
  readonly #borrower: Borrower
  readonly #access: NexusAccess
  readonly #engine: BorrowContext['engine']
  #giveBack: (() => void) | undefined

  constructor(o: { volume: GatedVolume; borrower: Borrower; engine: BorrowContext['engine']; giveBack: () => void }) {
    this.blockBytes = o.volume.descriptor.spec.blockBytes
    this.#volume = o.volume
    this.#borrower = o.borrower
    this.#access = new NexusAccess(o.volume, o.borrower)
    this.#engine = o.engine
    this.#giveBack = o.giveBack
  }

  get sizeBytes(): number {
    return this.#volume.sizeBytes
  }

  get descriptor(): VolumeDescriptor {
    return this.#volume.descriptor
  }

  get control(): ControlBlock {
    return this.#volume.control
  }

  read(position: number, target: Buffer, offset: number, length: number): undefined | Promise<void> {
    this.#check(position, target, offset, length)
    return length === 0 ? undefined : this.#volume.read(position, target, offset, length, this.#access)
  }

  write(position: number, source: Buffer, offset: number, length: number): undefined | Promise<void> {
    this.#check(position, source, offset, length)
    return length === 0 ? undefined : this.#volume.write(position, source, offset, length, this.#access)
  }

  flush(): undefined | Promise<void> {
    if (!this.#giveBack) throw new Error('the volume was released')
    const { volumeId, persistence } = this.#volume.descriptor.spec
    if (persistence === 'ephemeral') return undefined
    return this.#engine.ask({ kind: 'volume.flush', volumeId }).then(
      () => undefined,
      (error: unknown) => Promise.reject(fromReply(error)),
    )
  }

  hold(again: boolean): boolean {
    return this.#volume.hold(again)
  }

  unhold(): void {
    this.#volume.unhold()
  }

  admission(): Promise<void> {
    return this.#volume.admission()
  }

  async exclusive<K extends ExclusiveName>(
    operation: Extract<ExclusiveOperation, { name: K }>,
  ): Promise<ExclusiveResults[K]> {
    if (!this.#giveBack) throw new Error('the volume was released')
    const { volumeId } = this.#volume.descriptor.spec
    try {
      const result = await this.#engine.ask({
        kind: 'volume.exclusive',
        volumeId,
        sessionId: this.#borrower.sessionId,
        port: this.#borrower.port,
        operationId: Math.random(),
        operation: compact(operation),
      })
      return result as ExclusiveResults[K]
    } catch (error) {
      throw fromReply(error)
    }
  }

  async sanitized(): Promise<void> {
    const { volumeId } = this.#volume.descriptor.spec
    try {
      await this.#engine.ask({ kind: 'volume.sanitized', volumeId })
    } catch (error) {
      throw fromReply(error)
    }
  }

  get usage(): BorrowedVolume['usage'] {
    const { allocatedSectors, quotaSectors } = this.#volume.control.space
    return { usedBytes: allocatedSectors * SECTOR_BYTES, quotaBytes: quotaSectors * SECTOR_BYTES }
  }

  get sanitize(): BorrowedVolume['sanitize'] {
    const { control } = this.#volume
    const { stage } = control
    if (stage < VOLUME_STAGE.sanitizing || stage === VOLUME_STAGE.replaced) return undefined
    const state = stage === VOLUME_STAGE.sanitizing ? 'inProgress' : 'failed'
    return { state, progress: control.sanitizeProgress }
  }

  release(): void {
    const giveBack = this.#giveBack
    this.#giveBack = undefined
    giveBack?.()
  }

  /** A range that is wrong here is a bug of the caller: the command's own checks come first. */
  #check(position: number, buffer: Buffer, offset: number, length: number): void {
    if (!this.#giveBack) throw new Error('the volume was released')
    const inVolume = position >= 0 && length >= 0 && position + length <= this.sizeBytes
    const inBuffer = offset >= 0 && offset + length <= buffer.length
    if (inVolume && inBuffer && position % SECTOR_BYTES === 0 && length % SECTOR_BYTES === 0) return
    throw new RangeError(
      `${length} bytes at ${position} (buffer ${offset} of ${buffer.length}) do not fit a volume of ${this.sizeBytes} bytes`,
    )
  }
}

/** A message clones the whole memory behind a view, so the view gets memory of its own. */
function compact(operation: ExclusiveOperation): ExclusiveOperation {
  if (!('data' in operation)) return operation
  const { data } = operation
  return data.byteLength === data.buffer.byteLength ? operation : { ...operation, data: new Uint8Array(data) }
}
