/**
 * The engine: which volumes are open, and who is to be told. It knows nothing of threads and messages, so tests run it
 * as it is.
 */
import {
  type EngineNotice,
  type ExclusiveName,
  type ExclusiveOperation,
  type ExclusiveResults,
  NOBODY,
  RpcError,
  VOLUME_STAGE,
  type VolumeDescriptor,
  type VolumeFiles,
  type VolumeSpec,
} from '@scsipub/contract'
import { BaseFiles } from '@scsipub/volume'
import { currentBootId, DataDirectory } from './data-directory.js'
import { type EngineVolume, EphemeralVolume } from './engine-volume.js'
import { carryOut, translated } from './exclusive-operations.js'
import { newIdentity } from './identity.js'
import { openPersistent } from './open-persistent.js'
import { Snapshots } from './snapshots/snapshots.js'
import { SwitchJournal } from './snapshots/switch-journal.js'
import { baseOfNew } from './snapshots/volume-base.js'
import type { Sync } from './sync.js'
import { UnitState } from './unit-state.js'
import { exists, removePersistent } from './volume-files.js'
import { readManifest } from './volume-manifest.js'
import { conflict, invalidSpec, VOLUME_ID } from './volume-spec.js'

/** How long a volume's end waits for I/O in flight. */
const END_TIMEOUT_MS = 4_000
/** How long after its asking an exclusive operation may begin. Initiators give up on COMPARE AND WRITE after 8 s. */
const EXCLUSIVE_TIMEOUT_MS = 4_000

export interface EngineOptions {
  dataDir: string
  /** Tells every attached worker. */
  notify: (notice: EngineNotice) => void
  /** Gives every attached worker the new descriptor of a volume that was replaced; resolves when all go by it. Without it they ask for it at their next I/O. */
  replaced?: (descriptor: VolumeDescriptor) => Promise<void>
  /** The kernel's, unless a test simulates another start of the machine. */
  bootId?: string
  /** fdatasync, unless a test makes it fail. */
  sync?: Sync
}

export class StorageEngine {
  readonly #directory: DataDirectory
  readonly #options: EngineOptions
  readonly #bootId: string
  readonly #bases = new BaseFiles()
  readonly #volumes = new Map<string, Promise<EngineVolume>>()
  readonly #endings = new Map<string, Promise<void>>()
  /** Of volumes whose unit is, or was, not as usual. */
  readonly #units = new WeakMap<EngineVolume, UnitState>()
  readonly snapshots: Snapshots
  #closing = false

  /** Takes the data directory. Throws `DataDirectoryError`. */
  constructor(options: EngineOptions) {
    this.#options = options
    this.#bootId = options.bootId ?? currentBootId()
    const directory = new DataDirectory(options.dataDir)
    this.#directory = directory
    this.snapshots = new Snapshots({
      directory,
      journal: new SwitchJournal(directory),
      bootId: this.#bootId,
      tell: async descriptor => options.replaced?.(descriptor),
      volume: volumeId => this.#get(volumeId),
      volumes: () => this.#volumes.values(),
    })
  }

  /** Volumes open now. */
  get count(): number {
    return this.#volumes.size
  }

  /** Where workers keep the data that tokens stand for. */
  get tokensFolder(): string {
    return this.#directory.tokens
  }

  /** Opens a volume, or gives the descriptor of the open one. Rejects with `RpcError`. */
  async open(spec: VolumeSpec): Promise<VolumeDescriptor> {
    const wrong = invalidSpec(spec)
    if (wrong) throw new RpcError('bad-request', wrong)
    const descriptor = await this.#share(spec.volumeId, () => spec)
    const differs = conflict(descriptor.spec, spec)
    if (differs) throw new RpcError('mismatch', differs)
    return descriptor
  }

  /** Opens a persistent volume that exists, as it is, or gives the descriptor of the open one. Rejects with `RpcError`, 'missing' when there is none. */
  async reopen(volumeId: string): Promise<VolumeDescriptor> {
    return this.#share(volumeId, () => {
      if (!VOLUME_ID.test(volumeId) || !exists(this.#directory, volumeId))
        throw new RpcError('missing', `there is no volume ${volumeId} in the data directory`)
      return readManifest(this.#directory.volume(volumeId), volumeId).spec
    })
  }

  async #share(volumeId: string, specOf: () => VolumeSpec): Promise<VolumeDescriptor> {
    if (this.#closing) throw new RpcError('gone', 'the storage engine is closing')
    await this.#ended(volumeId)
    await this.snapshots.ready(volumeId)
    const known = this.#volumes.get(volumeId)
    if (known !== undefined) {
      const { descriptor, control } = await known
      if (control.stage !== VOLUME_STAGE.gone) return descriptor
      if (this.#volumes.get(volumeId) === known) this.#volumes.delete(volumeId)
      return this.#share(volumeId, specOf)
    }
    const opening = this.#open(specOf())
    this.#volumes.set(volumeId, opening)
    try {
      return (await opening).descriptor
    } catch (error) {
      if (this.#volumes.get(volumeId) === opening) this.#volumes.delete(volumeId)
      throw error
    }
  }

  async #open(spec: VolumeSpec): Promise<EngineVolume> {
    const { volumeId } = spec
    this.snapshots.requireLasting(spec.baseSnapshot)
    const opened = () => this.#options.notify({ kind: 'gate.opened', volumeId })
    const { sync } = this.#options
    if (spec.persistence === 'ephemeral') {
      const directory = this.#directory.ephemeral(volumeId)
      return new EphemeralVolume({
        spec,
        identity: newIdentity(),
        base: baseOfNew(this.#directory, spec),
        opened,
        bases: this.#bases,
        directory,
        bootId: this.#bootId,
      })
    }
    return openPersistent({
      directory: this.#directory,
      spec,
      bootId: this.#bootId,
      opened,
      bases: this.#bases,
      ...(sync && { sync }),
    })
  }

  /** The descriptor of an open volume as it is now. Rejects with `RpcError` 'gone'. */
  async renew(volumeId: string): Promise<VolumeDescriptor> {
    return (await this.#get(volumeId)).descriptor
  }

  /** Names of all persistent volumes, open or not. */
  persistent(): string[] {
    return this.#directory.volumeIds()
  }

  /** Makes the files of a volume, once. Rejects with `RpcError` 'space', 'io' or 'gone'. */
  async materialise(volumeId: string): Promise<VolumeFiles> {
    return (await this.#get(volumeId)).materialise()
  }

  /** Makes durable what was written to a volume before the call. Rejects with `RpcError` 'io' or 'gone'. */
  async flush(volumeId: string): Promise<void> {
    return (await this.#get(volumeId)).flush()
  }

  /** Runs `action` while nobody reads or writes the volume. Rejects with `RpcError` 'gone', 'busy', or as the action does. */
  async exclusive<T>(
    volumeId: string,
    action: (volume: EngineVolume) => T | Promise<T>,
    timeoutMs = END_TIMEOUT_MS,
  ): Promise<T> {
    const volume = await this.#get(volumeId)
    return volume.exclusion.run(() => action(volume), timeoutMs)
  }

  /** An open volume. Rejects with `RpcError` 'gone'. */
  async volume(volumeId: string): Promise<EngineVolume> {
    return this.#get(volumeId)
  }

  /** The state of the volume's logical unit. Rejects with `RpcError` 'gone'. */
  async unit(volumeId: string): Promise<UnitState> {
    const volume = await this.#get(volumeId)
    const unit = this.#units.get(volume) ?? new UnitState(volume)
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
    borrower = NOBODY,
  ): Promise<ExclusiveResults[ExclusiveName]> {
    const volume = await this.#get(volumeId)
    const action = () => {
      const refusal = volume.control.refuses(borrower, operation.name !== 'lbaStatus')
      if (refusal !== undefined) throw new RpcError(refusal, `volume ${volumeId} is not for this session now`)
      return carryOut(volume, operation)
    }
    return volume.exclusion.run(action, EXCLUSIVE_TIMEOUT_MS, { countQueue: true })
  }

  /** Resolves when no sanitize operation is under way on the volume. Rejects with `RpcError` 'sanitize-failed' or 'gone'. */
  async sanitized(volumeId: string): Promise<void> {
    const volume = await this.#get(volumeId)
    await translated(() => volume.sanitizer.ended())
  }

  /**
   * Ends a volume: an ephemeral one is deleted, a persistent one flushed and closed. Rejects with `RpcError` 'busy' (it is
   * still open then), 'gone', or 'io' (it is closed, and what was not flushed before may be lost).
   */
  async destroy(volumeId: string): Promise<void> {
    // Noted before anything is awaited: whoever opens the volume from now on waits for its end.
    return this.#endings.get(volumeId) ?? this.#note(volumeId, this.#end(volumeId, this.#get(volumeId)))
  }

  /**
   * Deletes a persistent volume for good, after closing it if it is open; none is no error. Rejects with `RpcError` 'busy' (it is still open and
   * whole then) or 'io'.
   */
  async remove(volumeId: string): Promise<void> {
    if (!VOLUME_ID.test(volumeId)) throw new RpcError('bad-request', `${JSON.stringify(volumeId)} is no volumeId`)
    const before = this.#endings.get(volumeId)
    const remove = () => this.#remove(volumeId)
    return this.#note(volumeId, before === undefined ? remove() : before.then(remove, remove))
  }

  async #remove(volumeId: string): Promise<void> {
    const opening = this.#volumes.get(volumeId)
    if (opening) {
      await this.#end(volumeId, opening).catch((error: unknown) => {
        if (this.#volumes.has(volumeId)) throw error // otherwise what could not be flushed is not wanted any more
      })
    }
    await removePersistent(this.#directory, volumeId)
  }

  async #end(volumeId: string, opening: Promise<EngineVolume>): Promise<void> {
    const volume = await opening
    try {
      await volume.exclusion.run(() => volume.end(), END_TIMEOUT_MS)
    } finally {
      if (volume.control.stage === VOLUME_STAGE.gone) this.#volumes.delete(volumeId)
    }
  }

  /** Whoever opens the volume from now on waits for this end. */
  #note(volumeId: string, ending: Promise<void>): Promise<void> {
    const noted = ending.finally(() => {
      if (this.#endings.get(volumeId) === noted) this.#endings.delete(volumeId)
    })
    this.#endings.set(volumeId, noted)
    return noted
  }

  /** Settles when no end of the volume is under way. */
  async #ended(volumeId: string): Promise<void> {
    for (let ending = this.#endings.get(volumeId); ending; ending = this.#endings.get(volumeId))
      await ending.catch(() => undefined)
  }

  /** A worker is dead: nothing of it is in flight any more. */
  async detach(slot: number): Promise<void> {
    for (const opening of [...this.#volumes.values()]) {
      const volume = await opening.catch(() => undefined)
      if (!volume) continue
      volume.control.resetSlot(slot)
      this.#units.get(volume)?.workerGone(slot)
    }
  }

  /** Ends all volumes and gives the data directory back. Rejects with what failed, after all was tried. */
  async close(): Promise<void> {
    this.#closing = true
    const ends = await Promise.allSettled([...this.#volumes.keys()].map(volumeId => this.destroy(volumeId)))
    this.#directory.close()
    const failures = ends.filter(end => end.status === 'rejected').map(end => (end.reason as Error).message)
    if (failures.length > 0) throw new RpcError('io', failures.join('; '))
  }

  #get(volumeId: string): Promise<EngineVolume> {
    const volume = this.#volumes.get(volumeId)
    if (!volume) throw new RpcError('gone', `volume ${volumeId} is not open; open it first`)
    return volume
  }
}
