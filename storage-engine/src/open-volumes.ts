/**
 * Which volumes are open, are being opened, or are being ended: each of them once. Whoever wants one that is being ended waits for its end.
 *
 * Left out: how a volume is opened; see `storage-engine.ts`, and `takeover/` for those of an engine before.
 */
import { RpcError, VOLUME_STAGE, type VolumeDescriptor } from '@scsipub/contract'
import type { EngineVolume } from './engine-volume.js'

/** How long a volume's end waits for I/O in flight. */
export const END_TIMEOUT_MS = 4_000

export interface OpenVolumesOptions {
  /** Settles when the volume can be opened. */
  readonly ready: (volumeId: string) => Promise<void>
  /** The volume has ended. */
  readonly ended: (volumeId: string) => void
}

export class OpenVolumes {
  readonly #options: OpenVolumesOptions
  readonly #volumes = new Map<string, Promise<EngineVolume>>()
  readonly #endings = new Map<string, Promise<void>>()
  #closing = false

  constructor(options: OpenVolumesOptions) {
    this.#options = options
  }

  /** Volumes open now, with those that are about to be. */
  get size(): number {
    return this.#volumes.size
  }

  /** Whether the volume is open, or is being opened. */
  has(volumeId: string): boolean {
    return this.#volumes.has(volumeId)
  }

  /** An open volume. Rejects with `RpcError` 'gone', or with what hindered its opening. */
  get(volumeId: string): Promise<EngineVolume> {
    const volume = this.#volumes.get(volumeId)
    if (!volume) throw new RpcError('gone', `volume ${volumeId} is not open; open it first`)
    return volume
  }

  /** As they are being opened. */
  values(): Iterable<Promise<EngineVolume>> {
    return this.#volumes.values()
  }

  /** All that are open. */
  async all(): Promise<EngineVolume[]> {
    const opened = await Promise.allSettled(this.#volumes.values())
    return opened.flatMap(volume => (volume.status === 'fulfilled' ? [volume.value] : []))
  }

  /** A volume that is open already, or is being opened by somebody else. */
  set(volumeId: string, opening: Promise<EngineVolume>): void {
    this.#volumes.set(volumeId, opening)
  }

  /** The descriptor of a volume that is open, or else of the one that `open` opens. Rejects with `RpcError` 'gone' at the end of all, or as `open` does. */
  async share(volumeId: string, open: () => Promise<EngineVolume>): Promise<VolumeDescriptor> {
    if (this.#closing) throw new RpcError('gone', 'the storage engine is closing')
    await this.#untilEnded(volumeId)
    await this.#options.ready(volumeId)
    const known = this.#volumes.get(volumeId)
    if (known !== undefined) {
      const { descriptor, control } = await known
      if (control.stage !== VOLUME_STAGE.gone) return descriptor
      if (this.#volumes.get(volumeId) === known) this.#volumes.delete(volumeId)
      return this.share(volumeId, open)
    }
    const opening = open()
    this.#volumes.set(volumeId, opening)
    try {
      return (await opening).descriptor
    } catch (error) {
      if (this.#volumes.get(volumeId) === opening) this.#volumes.delete(volumeId)
      throw error
    }
  }

  /** See `StorageEngine.destroy`. */
  async destroy(volumeId: string): Promise<void> {
    // Noted before anything is awaited: whoever opens the volume from now on waits for its end.
    return this.#endings.get(volumeId) ?? this.#note(volumeId, this.#end(volumeId, this.get(volumeId)))
  }

  /** Ends the volume if it is open, and does `remove` before anybody can open it again. */
  async remove(volumeId: string, remove: () => Promise<void>): Promise<void> {
    const before = this.#endings.get(volumeId)
    const end = () => this.#remove(volumeId, remove)
    return this.#note(volumeId, before === undefined ? end() : before.then(end, end))
  }

  /** Ends all, and opens none from now on. What failed, after all was tried. */
  async close(): Promise<Error[]> {
    this.#closing = true
    const ends = await Promise.allSettled([...this.#volumes.keys()].map(volumeId => this.destroy(volumeId)))
    return ends.filter(end => end.status === 'rejected').map(end => end.reason as Error)
  }

  async #remove(volumeId: string, remove: () => Promise<void>): Promise<void> {
    const opening = this.#volumes.get(volumeId)
    if (opening) {
      await this.#end(volumeId, opening).catch((error: unknown) => {
        if (this.#volumes.has(volumeId)) throw error // otherwise what could not be flushed is not wanted any more
      })
    }
    await remove()
  }

  async #end(volumeId: string, opening: Promise<EngineVolume>): Promise<void> {
    const volume = await opening
    try {
      await volume.exclusion.run(() => volume.end(), END_TIMEOUT_MS)
    } finally {
      if (volume.control.stage === VOLUME_STAGE.gone) {
        this.#volumes.delete(volumeId)
        this.#options.ended(volumeId)
      }
    }
  }

  #note(volumeId: string, ending: Promise<void>): Promise<void> {
    const noted = ending.finally(() => {
      if (this.#endings.get(volumeId) === noted) this.#endings.delete(volumeId)
    })
    this.#endings.set(volumeId, noted)
    return noted
  }

  async #untilEnded(volumeId: string): Promise<void> {
    for (let ending = this.#endings.get(volumeId); ending; ending = this.#endings.get(volumeId))
      await ending.catch(() => undefined)
  }
}
