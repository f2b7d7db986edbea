/**
 * The engine: which volumes are open, and who is to be told. It knows nothing of threads and messages, so tests run it
 * as it is.
 */
import {
  type Borrower,
  ControlBlock,
  EngineMemory,
  type EngineNotice,
  type ExclusiveName,
  type ExclusiveOperation,
  type ExclusiveResults,
  NOBODY,
  RpcError,
  VOLUME_STAGE,
  type VolumeDescriptor,
  type VolumeFiles,
  type VolumeRecord,
  type VolumeSpec,
} from '@scsipub/contract'
import { currentBootId, DataDirectory } from './data-directory.js'
import type { EngineVolume } from './engine-volume.js'
import { carryOut, translated } from './exclusive-operations.js'
import { END_TIMEOUT_MS, OpenVolumes } from './open-volumes.js'
import { Snapshots } from './snapshots/snapshots.js'
import { SwitchJournal } from './snapshots/switch-journal.js'
import type { Sync } from './sync.js'
import { type EngineNotes, NO_NOTES } from './takeover/engine-notes.js'
import { giveUp, letGo, takeOver } from './takeover/take-over.js'
import { UnitState } from './unit-state.js'
import { exists, removePersistent } from './volume-files.js'
import { readManifest } from './volume-manifest.js'
import { VolumeOpener } from './volume-opener.js'
import { conflict, invalidSpec, VOLUME_ID } from './volume-spec.js'

/** How long after its asking an exclusive operation may begin. Initiators give up on COMPARE AND WRITE after 8 s. */
const EXCLUSIVE_TIMEOUT_MS = 4_000

/** Operations that must not be done twice, when it is not known whether they were done. */
const ONCE: ReadonlySet<ExclusiveName> = new Set(['compareAndWrite', 'orWrite', 'writeAtomic'])
/** More engines in a row than one operation can be unlucky with. */
const MAX_DONE_OPERATIONS = 16

/** Who asks for an operation, with his number for it; `again` when he may have asked an engine before. */
export interface Asking {
  readonly borrower?: Borrower
  readonly operationId?: number
  readonly again?: boolean
}

export interface EngineOptions {
  dataDir: string
  /** Tells every attached worker. */
  notify: (notice: EngineNotice) => void
  /** Gives every attached worker the new descriptor of a volume that was replaced; resolves when all go by it. Without it they ask for it at their next I/O. */
  replaced?: (descriptor: VolumeDescriptor) => Promise<void>
  /** Where what is to outlive the engine is told. */
  notes?: EngineNotes
  /** Memory that outlives the engine. */
  memory?: EngineMemory
  /** Volumes that are open, by the notes of an engine that has died: the server holds the data directory, and its workers go on with them. */
  taken?: readonly VolumeRecord[]
  /** Called with what makes a volume unusable that was to be taken over. */
  onLoss?: (volumeId: string, error: unknown) => void
  /** The kernel's, unless a test simulates another start of the machine. */
  bootId?: string
  /** fdatasync, unless a test makes it fail. */
  sync?: Sync
}

export class StorageEngine {
  readonly #directory: DataDirectory
  readonly #options: EngineOptions
  readonly #opener: VolumeOpener
  readonly #volumes: OpenVolumes
  /** Of volumes whose unit is, or was, not as usual. */
  readonly #units = new WeakMap<EngineVolume, UnitState>()
  readonly #notes: EngineNotes
  readonly #memory: EngineMemory
  /** Operations that engines before this one have done, by their askers' numbers. */
  readonly #doneBefore = new Set<number>()
  readonly snapshots: Snapshots

  /** Takes the data directory. Throws `DataDirectoryError`. */
  constructor(options: EngineOptions) {
    this.#options = options
    const { bootId = currentBootId(), notify, sync } = options
    this.#notes = options.notes ?? NO_NOTES
    this.#memory = options.memory ?? new EngineMemory()
    const { taken } = options
    const taking = taken?.filter(({ descriptor }) => new ControlBlock(descriptor.control).stage !== VOLUME_STAGE.gone)
    const directory = new DataDirectory(options.dataDir, taking && new Set(taking.map(idOf)))
    this.#directory = directory
    const [memory, notes] = [this.#memory, this.#notes]
    this.#opener = new VolumeOpener({ directory, bootId, memory, notes, notify, sync })
    this.#volumes = new OpenVolumes({
      ready: volumeId => this.snapshots.ready(volumeId),
      ended: volumeId => this.#notes.forget(volumeId),
    })
    this.snapshots = new Snapshots({
      directory,
      journal: new SwitchJournal(directory),
      bootId,
      tell: async descriptor => options.replaced?.(descriptor),
      volume: volumeId => this.#volumes.get(volumeId),
      volumes: () => this.#volumes.values(),
    })
    for (const record of taken ?? []) if (!taking?.includes(record)) this.#notes.forget(idOf(record))
    this.#takeAll(taking ?? [])
  }

  /** The one with the redo record goes first: until it has been written again, nobody may make another. */
  #takeAll(records: readonly VolumeRecord[]): void {
    const redo = this.#memory.redo()
    const first = records.find(record => idOf(record) === redo?.volumeId)
    if (!first) this.#memory.clearRedo()
    const before = first ? this.#take(first) : undefined
    for (const record of records) if (record !== first) void this.#take(record, before)
  }

  #take(record: VolumeRecord, before?: Promise<unknown>): Promise<unknown> {
    const volumeId = idOf(record)
    const over = () => this.#takeOver(record)
    const taking = before === undefined ? over() : before.then(over)
    this.#volumes.set(volumeId, taking)
    return taking.catch((error: unknown) => {
      // It stays refused: what reservations left to whom is not forgotten by opening it anew.
      giveUp(record)
      this.#options.onLoss?.(volumeId, error)
    })
  }

  async #takeOver(record: VolumeRecord): Promise<EngineVolume> {
    const volumeId = idOf(record)
    const note = (changed: Partial<VolumeRecord>) => this.#notes.note(volumeId, changed)
    await this.snapshots.ready(volumeId)
    const volume = await this.#opener.openTaken(record)
    const held = record.holder !== undefined || (record.prevents?.length ?? 0) > 0 || volume.control.holder !== 0
    const unit = held ? new UnitState(volume, note, record) : undefined
    if (unit) this.#units.set(volume, unit)
    await takeOver(volume, unit, this.#memory)
    const { doneOperation } = volume.control
    const doneOperations = [...(record.doneOperations ?? [])]
    if (doneOperation !== undefined) doneOperations.push(doneOperation)
    for (const operationId of doneOperations) this.#doneBefore.add(operationId)
    note({ doneOperations: doneOperations.slice(-MAX_DONE_OPERATIONS), replaced: undefined })
    if (record.replaced) letGo(record.replaced)
    if (volume.descriptor.control !== record.descriptor.control) {
      letGo(record.descriptor.control)
      void this.#options.replaced?.(volume.descriptor)
    }
    return volume
  }

  /** Volumes open now. */
  get count(): number {
    return this.#volumes.size
  }

  /** See `DataDirectory.shareLock`. */
  shareLock(): number | undefined {
    return this.#directory.shareLock()
  }

  /** Where workers keep the data that tokens stand for. */
  get tokensFolder(): string {
    return this.#directory.tokens
  }

  /** Opens a volume, or gives the descriptor of the open one. Rejects with `RpcError`. */
  async open(spec: VolumeSpec): Promise<VolumeDescriptor> {
    const wrong = invalidSpec(spec)
    if (wrong) throw new RpcError('bad-request', wrong)
    const descriptor = await this.#volumes.share(spec.volumeId, () => this.#open(spec))
    const differs = conflict(descriptor.spec, spec)
    if (differs) throw new RpcError('mismatch', differs)
    return descriptor
  }

  /** Opens a persistent volume that exists, as it is, or gives the descriptor of the open one. Rejects with `RpcError`, 'missing' when there is none. */
  async reopen(volumeId: string): Promise<VolumeDescriptor> {
    return this.#volumes.share(volumeId, async () => {
      if (!VOLUME_ID.test(volumeId) || !exists(this.#directory, volumeId))
        throw new RpcError('missing', `there is no volume ${volumeId} in the data directory`)
      return this.#open(readManifest(this.#directory.volume(volumeId), volumeId).spec)
    })
  }

  /** The descriptor of an open volume as it is now. Rejects with `RpcError` 'gone'. */
  async renew(volumeId: string): Promise<VolumeDescriptor> {
    return (await this.#volumes.get(volumeId)).descriptor
  }

  async #open(spec: VolumeSpec): Promise<EngineVolume> {
    this.snapshots.requireLasting(spec.baseSnapshot)
    return this.#opener.open(spec)
  }

  /** Names of all persistent volumes, open or not. */
  persistent(): string[] {
    return this.#directory.volumeIds()
  }

  /** Makes the files of a volume, once. Rejects with `RpcError` 'space', 'io' or 'gone'. */
  async materialise(volumeId: string): Promise<VolumeFiles> {
    return (await this.#volumes.get(volumeId)).materialise()
  }

  /** Makes durable what was written to a volume before the call. Rejects with `RpcError` 'io' or 'gone'. */
  async flush(volumeId: string): Promise<void> {
    return (await this.#volumes.get(volumeId)).flush()
  }

  /** Runs `action` while nobody reads or writes the volume. Rejects with `RpcError` 'gone', 'busy', or as the action does. */
  async exclusive<T>(
    volumeId: string,
    action: (volume: EngineVolume) => T | Promise<T>,
    timeoutMs = END_TIMEOUT_MS,
  ): Promise<T> {
    const volume = await this.#volumes.get(volumeId)
    return volume.exclusion.run(() => action(volume), timeoutMs)
  }

  /** An open volume. Rejects with `RpcError` 'gone'. */
  async volume(volumeId: string): Promise<EngineVolume> {
    return this.#volumes.get(volumeId)
  }

  /** Whether the volume is open, or is being opened. */
  has(volumeId: string): boolean {
    return this.#volumes.has(volumeId)
  }

  /** All volumes that are open. */
  async all(): Promise<EngineVolume[]> {
    return this.#volumes.all()
  }

  /** The state of the volume's logical unit. Rejects with `RpcError` 'gone'. */
  async unit(volumeId: string): Promise<UnitState> {
    const volume = await this.#volumes.get(volumeId)
    const unit = this.#units.get(volume) ?? new UnitState(volume, changed => this.#notes.note(volumeId, changed))
    this.#units.set(volume, unit)
    return unit
  }

  /**
   * Does an operation of a session while nobody else reads or writes the volume. Rejects with `RpcError`: 'busy' when it could not be begun in
   * time, 'gone', 'reserved' or 'no-medium' for that session, or as `carryOut` does.
   */
  async operate(
    volumeId: string,
    operation: ExclusiveOperation,
    { borrower = NOBODY, operationId = 0, again = false }: Asking = {},
  ): Promise<ExclusiveResults[ExclusiveName]> {
    const volume = await this.#volumes.get(volumeId)
    if (again && this.#doneBefore.has(operationId)) return {}
    const action = () => {
      // Its own, begun by the engine before: two cannot be under way.
      if (again && operation.name === 'sanitize' && volume.control.stage === VOLUME_STAGE.sanitizing)
        return { restricted: false }
      const refusal = volume.control.refuses(borrower, operation.name !== 'lbaStatus')
      if (refusal !== undefined) throw new RpcError(refusal, `volume ${volumeId} is not for this session now`)
      if (ONCE.has(operation.name)) volume.control.beginOperation(operationId)
      return carryOut(volume, operation)
    }
    return volume.exclusion.run(action, EXCLUSIVE_TIMEOUT_MS, { countQueue: true })
  }

  /** Resolves when no sanitize operation is under way on the volume. Rejects with `RpcError` 'sanitize-failed' or 'gone'. */
  async sanitized(volumeId: string): Promise<void> {
    const volume = await this.#volumes.get(volumeId)
    await translated(() => volume.sanitizer.ended())
  }

  /**
   * Ends a volume: an ephemeral one is deleted, a persistent one flushed and closed. Rejects with `RpcError` 'busy' (it is
   * still open then), 'gone', or 'io' (it is closed, and what was not flushed before may be lost).
   */
  async destroy(volumeId: string): Promise<void> {
    return this.#volumes.destroy(volumeId)
  }

  /**
   * Deletes a persistent volume for good, after closing it if it is open; none is no error. Rejects with `RpcError` 'busy' (it is still open and
   * whole then) or 'io'.
   */
  async remove(volumeId: string): Promise<void> {
    if (!VOLUME_ID.test(volumeId)) throw new RpcError('bad-request', `${JSON.stringify(volumeId)} is no volumeId`)
    return this.#volumes.remove(volumeId, async () => removePersistent(this.#directory, volumeId))
  }

  /** A worker is dead: nothing of it is in flight any more. */
  async detach(slot: number, kept: ReadonlySet<number> = new Set()): Promise<void> {
    for (const opening of [...this.#volumes.values()]) {
      const volume = await opening.catch(() => undefined)
      if (!volume) continue
      volume.control.resetSlot(slot)
      this.#units.get(volume)?.workerGone(slot, kept)
    }
  }

  /** These sessions are no more: what they held of any unit is free. */
  async sessionsGone(sessionIds: readonly number[]): Promise<void> {
    for (const opening of sessionIds.length > 0 ? [...this.#volumes.values()] : []) {
      const volume = await opening.catch(() => undefined)
      const unit = volume && this.#units.get(volume)
      for (const sessionId of sessionIds) unit?.leave(sessionId)
    }
  }

  /** Ends all volumes and gives the data directory back. Rejects with what failed, after all was tried. */
  async close(): Promise<void> {
    const failures = await this.#volumes.close()
    this.#directory.close()
    if (failures.length > 0) throw new RpcError('io', failures.map(({ message }) => message).join('; '))
  }
}

function idOf({ descriptor }: VolumeRecord): string {
  return descriptor.spec.volumeId
}
