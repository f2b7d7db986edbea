/** Opens the volumes of an engine, of both kinds, each with what all of them share; and those that an engine before it had open. */
import { rmSync } from 'node:fs'
import {
  ControlBlock,
  type EngineMemory,
  type EngineNotice,
  VOLUME_STAGE,
  type VolumeRecord,
  type VolumeSpec,
} from '@scsipub/contract'
import { BaseFiles } from '@scsipub/volume'
import type { DataDirectory } from './data-directory.js'
import { type EngineVolume, EphemeralVolume } from './engine-volume.js'
import { newIdentity } from './identity.js'
import { openPersistent, openTaken } from './open-persistent.js'
import { baseOfNew } from './snapshots/volume-base.js'
import type { Sync } from './sync.js'
import type { EngineNotes } from './takeover/engine-notes.js'

export interface VolumeOpenerParts {
  readonly directory: DataDirectory
  readonly bootId: string
  readonly memory: EngineMemory
  readonly notes: EngineNotes
  readonly notify: (notice: EngineNotice) => void
  readonly sync: Sync | undefined
}

export class VolumeOpener {
  readonly #parts: VolumeOpenerParts
  readonly #bases = new BaseFiles()

  constructor(parts: VolumeOpenerParts) {
    this.#parts = parts
  }

  /** Rejects as `openPersistent`. */
  async open(spec: VolumeSpec): Promise<EngineVolume> {
    const { directory, notes } = this.#parts
    const { volumeId } = spec
    const common = this.#common(volumeId)
    const volume =
      spec.persistence === 'persistent'
        ? await openPersistent({ ...common, spec })
        : new EphemeralVolume({
            ...common,
            spec,
            identity: newIdentity(),
            base: baseOfNew(directory, spec),
            directory: directory.ephemeral(volumeId),
          })
    notes.note(volumeId, { descriptor: volume.descriptor })
    return volume
  }

  /** Opens a volume by the notes of an engine that has died. Rejects as `openTaken`. */
  async openTaken(record: VolumeRecord): Promise<EngineVolume> {
    const { spec, identity, base } = record.descriptor
    const common = this.#common(spec.volumeId)
    if (spec.persistence === 'persistent') return openTaken(common, record)
    const directory = this.#parts.directory.ephemeral(spec.volumeId)
    // The engine before may have died while it made the files; nobody has them.
    if (new ControlBlock(record.descriptor.control).stage === VOLUME_STAGE.unwritten)
      rmSync(directory, { recursive: true, force: true })
    return new EphemeralVolume({
      ...common,
      spec,
      identity,
      base: base ?? baseOfNew(this.#parts.directory, spec),
      directory,
      taken: record,
    })
  }

  #common(volumeId: string) {
    const { directory, bootId, memory, notes, notify, sync } = this.#parts
    return {
      directory,
      bootId,
      opened: () => notify({ kind: 'gate.opened', volumeId }),
      bases: this.#bases,
      memory,
      note: (changed: Partial<VolumeRecord>) => notes.note(volumeId, changed),
      ...(sync && { sync }),
    }
  }
}
