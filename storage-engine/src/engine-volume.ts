/**
 * A volume that is open: its descriptor and what the engine alone may do with it. Two kinds share the interface; an
 * ephemeral volume has no files until somebody writes and is never synced.
 */
import { rm } from 'node:fs/promises'
import {
  ControlBlock,
  type EngineMemory,
  RpcError,
  VOLUME_STAGE,
  type VolumeBase,
  type VolumeDescriptor,
  type VolumeFiles,
  type VolumeRecord,
  type VolumeSpec,
} from '@scsipub/contract'
import { type BaseFiles, SECTOR_BYTES } from '@scsipub/volume'
import { Exclusion } from './exclusion.js'
import { ExclusiveStore } from './exclusive-store.js'
import type { Identity } from './identity.js'
import { PersistentReservations } from './persistent-reservations.js'
import type { ReservationFile } from './reservation-file.js'
import { Sanitizer } from './sanitizer.js'
import type { NoteVolume } from './takeover/engine-notes.js'
import { NotedMarker } from './takeover/noted-marker.js'
import { ephemeralFiles, makeEphemeral } from './volume-files.js'

export interface EngineVolume {
  /** Another one when the volume was replaced: not to be kept; nor is `control`, or `store`. */
  readonly descriptor: VolumeDescriptor
  readonly control: ControlBlock
  readonly exclusion: Exclusion
  /** Its data, for operations of the engine's own: only within `exclusion.run`. */
  readonly store: ExclusiveStore
  readonly reservations: PersistentReservations
  readonly sanitizer: Sanitizer
  /** Makes the files if there are none. Throws `RpcError` 'space' or 'io'. */
  materialise(): VolumeFiles
  /** Makes what was written durable. Rejects with `RpcError` 'io' or 'gone'. */
  flush(): Promise<void>
  /** Writes all of the data or nothing, whatever fails, with the gate closed. It is durable then. Rejects with VolumeError or `RpcError`. */
  writeAtomic(position: number, data: Uint8Array): Promise<void>
  /** Ends it, with the gate closed and nothing in flight: deletes what is ephemeral, flushes and closes what is persistent. */
  end(): Promise<void>
}

export interface VolumeOptions {
  spec: VolumeSpec
  identity: Identity
  /** What it stands on. */
  base: VolumeBase
  /** Called when the gate has been opened. */
  opened: () => void
  /** Images and layers that the engine has open. */
  bases: BaseFiles
  /** Where persistent reservations are kept, if the volume outlives a loss of power itself. */
  reservationFile?: ReservationFile
  memory: EngineMemory
  /** Tells the supervisor what is to outlive the engine's thread. */
  note: NoteVolume
  /** What an engine before had noted of the open volume. The words of its control block are still to be put right (`takeOver`). */
  taken?: VolumeRecord | undefined
}

/** The parts that both kinds have. `materialise` is the volume's own. Throws `RpcError` 'damaged'. */
export function common(
  { spec, identity, base, opened, bases, reservationFile, memory, note, taken }: VolumeOptions,
  materialise: () => VolumeFiles,
): Pick<EngineVolume, 'descriptor' | 'control' | 'exclusion' | 'store' | 'reservations'> {
  const control = taken
    ? new ControlBlock(taken.descriptor.control)
    : ControlBlock.create(spec.sizeBytes / SECTOR_BYTES, spec.quotaBytes / SECTOR_BYTES)
  const exclusion = new Exclusion({ control, name: spec.volumeId, opened })
  const descriptor = { spec, identity, base, control: control.shared }
  return {
    descriptor,
    control,
    exclusion,
    reservations: new PersistentReservations({
      control,
      exclusion,
      file: reservationFile,
      note,
      nextNotice: () => memory.nextNotice(),
      taken,
    }),
    store: new ExclusiveStore({ descriptor, control, bases, memory, materialise }),
  }
}

export class EphemeralVolume implements EngineVolume {
  readonly descriptor: VolumeDescriptor
  readonly control: ControlBlock
  readonly exclusion: Exclusion
  readonly store: ExclusiveStore
  readonly reservations: PersistentReservations
  readonly sanitizer: Sanitizer
  readonly #directory: string
  readonly #bootId: string

  constructor(o: VolumeOptions & { directory: string; bootId: string }) {
    const { descriptor, control, exclusion, store, reservations } = common(o, () => this.materialise())
    this.descriptor = descriptor
    this.control = control
    this.exclusion = exclusion
    this.store = store
    this.reservations = reservations
    this.sanitizer = new Sanitizer(this, new NotedMarker(o.note, o.taken?.sanitize))
    this.#directory = o.directory
    this.#bootId = o.bootId
    if (control.stage !== VOLUME_STAGE.unwritten) this.descriptor.files = ephemeralFiles(o.directory)
  }

  materialise(): VolumeFiles {
    const { volumeId, sizeBytes } = this.descriptor.spec
    if (this.control.stage === VOLUME_STAGE.gone) throw new RpcError('gone', `volume ${volumeId} has been destroyed`)
    if (!this.descriptor.files) {
      this.descriptor.files = makeEphemeral(this.#directory, volumeId, sizeBytes, this.#bootId)
      this.control.stage = VOLUME_STAGE.materialised
    }
    return this.descriptor.files
  }

  async flush(): Promise<void> {}

  async writeAtomic(position: number, data: Uint8Array): Promise<void> {
    this.store.reserve(position, data.length)
    await this.store.writeWhole(position, data)
  }

  async end(): Promise<void> {
    await this.sanitizer.stop()
    this.control.stage = VOLUME_STAGE.gone
    this.store.close()
    // Most anonymous volumes are never written to, and have nothing to be removed.
    if (this.descriptor.files) await rm(this.#directory, { recursive: true, force: true })
  }
}
