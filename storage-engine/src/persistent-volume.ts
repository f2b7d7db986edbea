/**
 * A persistent volume that is open: the flush, and how it goes on with other files (a snapshot has taken over the ones it had, or it has grown).
 *
 * A flush copies the bits first, syncs the data, then writes and syncs the copies; so the durable bitmap never names a
 * sector whose data is not on the disk. Once a sync of the data has failed, the kernel counts the pages it lost as
 * clean and the next sync would succeed without them; so every later flush fails too, until the volume is opened again.
 */
import { closeSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import {
  type ControlBlock,
  type EngineMemory,
  RpcError,
  VOLUME_STAGE,
  type VolumeBase,
  type VolumeDescriptor,
  type VolumeFiles,
  type VolumeSpec,
} from '@scsipub/contract'
import { type BaseFiles, isOutOfSpace, MappedBitmap, SECTOR_BYTES } from '@scsipub/volume'
import { DurableBitmap, type Trusted } from './durable-bitmap.js'
import { common, type EngineVolume, type VolumeOptions } from './engine-volume.js'
import type { Exclusion } from './exclusion.js'
import { ExclusiveStore } from './exclusive-store.js'
import { GroupCommit } from './group-commit.js'
import type { PersistentReservations } from './persistent-reservations.js'
import { SanitizeMarker } from './sanitize-marker.js'
import { Sanitizer } from './sanitizer.js'
import type { Sync } from './sync.js'
import type { NoteVolume } from './takeover/engine-notes.js'
import type { PersistentFiles } from './volume-files.js'
import { WriteIntent } from './write-intent.js'

/** What the engine keeps open of a volume beside its store. */
export interface OpenFiles {
  overlayFd: number
  bitmap: MappedBitmap
  durable: DurableBitmap
}

export class PersistentVolume implements EngineVolume {
  descriptor: VolumeDescriptor
  control: ControlBlock
  store: ExclusiveStore
  readonly exclusion: Exclusion
  readonly sanitizer: Sanitizer
  readonly reservations: PersistentReservations
  readonly trusted: Trusted
  readonly #paths: PersistentFiles
  readonly #bases: BaseFiles
  #files: OpenFiles
  readonly #sync: Sync
  readonly #intent: WriteIntent
  readonly #memory: EngineMemory
  readonly #note: NoteVolume
  readonly #commit = new GroupCommit(() => this.#flushOnce())
  #ending = false
  #failed: string | undefined
  /** Pages that were written to the durable bitmap and may not have reached the disk: they look right and are not. */
  readonly #unsure = new Set<number>()
  /** The server before this one may have been killed between a write of the durable bitmap and its sync. */
  #synced = false

  /** Use `openPersistent` (open-persistent.ts). */
  constructor(o: VolumeOptions & { paths: PersistentFiles; files: OpenFiles; trusted: Trusted; sync: Sync }) {
    const { descriptor, control, exclusion, store, reservations } = common(o, () => this.materialise())
    this.descriptor = { ...descriptor, files: { overlayPath: o.paths.overlayPath, bitmapPath: o.paths.bitmapPath } }
    this.control = control
    if (!o.taken) this.control.stage = VOLUME_STAGE.materialised
    this.exclusion = exclusion
    this.store = store
    this.sanitizer = new Sanitizer(this, new SanitizeMarker(dirname(o.paths.overlayPath)))
    this.reservations = reservations
    this.trusted = o.trusted
    this.#paths = o.paths
    this.#bases = o.bases
    this.#files = o.files
    this.#sync = o.sync
    this.#intent = new WriteIntent(o.paths.intentPath, o.sync)
    this.#memory = o.memory
    this.#note = o.note
    if (control.flushFailed) this.#failed = 'a flush has lost data before; flushes fail until it is opened again'
  }

  /** Counts what a flush of an engine before had taken up and perhaps not brought to the disk as changed, whatever the durable bitmap looks like. */
  takeUpMarks(): void {
    for (const page of this.control.dirty.markTakenUp()) this.#unsure.add(page)
  }

  /**
   * Takes stock of what the bitmaps say, and finishes an atomic write that was interrupted. To be called once, before anybody borrows the
   * volume, or with the gate closed and nothing in flight. `isNew`: the bitmaps have just been made, without a bit; to look at those of a large volume takes seconds.
   */
  async takeStock({ isNew = false } = {}): Promise<void> {
    const pending = await this.#intent.pending()
    if (pending) this.store.restore(pending.position, pending.data)
    const sizeSectors = this.descriptor.spec.sizeBytes / SECTOR_BYTES
    if (!isNew) await this.#files.durable.compare(this.#paths.bitmapPath, sizeSectors, this.control)
    if (!pending) return
    await this.flush()
    this.control.endOperation()
    await this.#intent.clear()
  }

  materialise(): VolumeFiles {
    if (this.control.stage === VOLUME_STAGE.gone || !this.descriptor.files) throw this.#gone()
    return this.descriptor.files
  }

  flush(): Promise<void> {
    return this.#ending ? Promise.reject(this.#gone()) : this.#commit.request()
  }

  async writeAtomic(position: number, data: Uint8Array): Promise<void> {
    this.store.reserve(position, data.length)
    try {
      await this.#recordIntent(position, data)
      await this.store.writeWhole(position, data)
      await this.flush()
    } finally {
      await this.#clearIntent()
    }
  }

  async #recordIntent(position: number, data: Uint8Array): Promise<void> {
    try {
      await this.#intent.record(position, data)
    } catch (error) {
      throw new RpcError(isOutOfSpace(error) ? 'space' : 'io', (error as Error).message)
    }
  }

  /** An intent that may come back would undo what is written from now on, so nothing more is promised. */
  async #clearIntent(): Promise<void> {
    try {
      await this.#intent.clear()
    } catch (error) {
      this.control.setFlushFailed()
      this.#failed = `the intent of an atomic write cannot be cleared; flushes fail until it is opened again (${(error as Error).message})`
      throw this.#io(this.#failed)
    }
  }

  async end(): Promise<void> {
    if (this.#ending) throw this.#gone()
    await this.sanitizer.stop()
    this.#ending = true
    try {
      await this.#commit.request()
    } finally {
      this.control.stage = VOLUME_STAGE.gone
      this.closeUnused()
      closeFiles(this.#files)
    }
  }

  /** The live bitmap. */
  get bitmap(): MappedBitmap {
    return this.#files.bitmap
  }

  /**
   * Runs `action` while nobody flushes, after a flush that also has the live bitmap on the disk: whatever happens, the files hold what they hold then.
   * To be used with the gate closed, if that is to last. Rejects with `RpcError` 'io' or 'gone', or as the action does.
   */
  async settled<T>(action: () => Promise<T>): Promise<T> {
    if (this.#ending) throw this.#gone()
    return this.#commit.between(async () => {
      await this.#flushOnce()
      await this.#syncLiveBitmap()
      return action()
    })
  }

  async #syncLiveBitmap(): Promise<void> {
    const fd = openSync(this.#paths.bitmapPath, 'r')
    try {
      await this.#sync(fd)
    } catch (error) {
      throw this.#io((error as Error).message)
    } finally {
      closeSync(fd)
    }
  }

  /**
   * Goes on with what lies in its directory now, `overlay` being the one it had or a new one. Within `settled`, with the gate closed; borrowers have to be given
   * the new descriptor. Throws what cannot be opened; nothing has changed then.
   */
  replace({ spec, base, overlay }: { spec: VolumeSpec; base: VolumeBase; overlay: 'same' | 'empty' }): void {
    const { control, store } = this
    const files = openFiles(this.#paths, spec.sizeBytes)
    closeFiles(this.#files)
    store.close()
    this.#files = files
    this.#unsure.clear()
    this.#synced = false
    const next = control.successor(spec.sizeBytes / SECTOR_BYTES, overlay)
    next.stage = VOLUME_STAGE.materialised
    const descriptor = { ...this.descriptor, spec, base, control: next.shared }
    // Before anybody goes by it: whoever takes over knows both blocks, and that the old one is not to be used.
    this.#note({ descriptor, replaced: control.shared })
    this.descriptor = descriptor
    this.store = new ExclusiveStore({
      descriptor: this.descriptor,
      control: next,
      bases: this.#bases,
      memory: this.#memory,
      materialise: () => this.materialise(),
    })
    this.control = next
    this.exclusion.follow(next)
    this.reservations.follow(next)
    control.stage = VOLUME_STAGE.replaced
  }

  /** Everybody goes by the present control block. */
  replacementKnown(): void {
    this.#note({ replaced: undefined })
  }

  /** Closes it as it is, since nobody can say what its directory holds. Within `settled`, with the gate closed. */
  abandon(): void {
    this.#ending = true
    this.control.stage = VOLUME_STAGE.gone
    this.closeUnused()
    closeFiles(this.#files)
  }

  /** Closes what `takeStock` has opened, of a volume that is not going to be used. */
  closeUnused(): void {
    this.store.close()
    this.#intent.close()
  }

  async #flushOnce(): Promise<void> {
    if (this.#failed) throw this.#io(this.#failed)
    const { overlayFd, bitmap, durable } = this.#files
    const pages = this.control.dirty.take()
    try {
      const changed = durable.changed(bitmap, pages, this.#unsure)
      await this.#syncOverlay(overlayFd)
      if (changed.length === 0 && this.#synced) return this.control.dirty.flushed()
      for (const page of changed) {
        this.#unsure.add(page.page)
        durable.write(page)
      }
      await this.#sync(durable.fd)
      this.#unsure.clear()
      this.#synced = true
      this.control.dirty.flushed()
    } catch (error) {
      for (const page of pages) this.control.dirty.mark(page)
      throw error instanceof RpcError ? error : this.#io((error as Error).message)
    }
  }

  async #syncOverlay(fd: number): Promise<void> {
    try {
      await this.#sync(fd)
    } catch (error) {
      this.control.setFlushFailed()
      this.#failed = `a sync of its data has failed, so data may be lost; flushes fail until it is opened again (${(error as Error).message})`
      throw this.#io(this.#failed)
    }
  }

  #io(why: string): RpcError {
    return new RpcError('io', `volume ${this.descriptor.spec.volumeId} cannot be flushed: ${why}`)
  }

  #gone(): RpcError {
    return new RpcError('gone', `volume ${this.descriptor.spec.volumeId} has been closed`)
  }
}

/** Opens what an open volume needs. Throws system errors and `BitmapDamaged`; nothing is open then. */
export function openFiles(
  paths: { overlayPath: string; bitmapPath: string; durablePath: string },
  sizeBytes: number,
): OpenFiles {
  const durable = new DurableBitmap(paths.durablePath)
  let overlayFd: number | undefined
  try {
    overlayFd = openSync(paths.overlayPath, 'r+')
    return { overlayFd, durable, bitmap: new MappedBitmap(paths.bitmapPath, sizeBytes / SECTOR_BYTES) }
  } catch (error) {
    if (overlayFd !== undefined) closeSync(overlayFd)
    durable.close()
    throw error
  }
}

export function closeFiles({ overlayFd, bitmap, durable }: OpenFiles): void {
  closeSync(overlayFd)
  durable.close()
  bitmap.unmap()
}
