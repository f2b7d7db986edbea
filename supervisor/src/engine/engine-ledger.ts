/**
 * What the storage engine has told of the volumes that are open (contract/engine-record.ts), for the engine that comes after it: another thread, or one in
 * another process. It is a copy that is never asked while the engine lives.
 */
import {
  ControlBlock,
  type EngineExport,
  type EngineMemory,
  type EngineNote,
  type ExportedVolume,
  VOLUME_STAGE,
  type VolumeRecord,
} from '@scsipub/contract'

type VolumeNote = Exclude<EngineNote, { kind: 'engine.ready' }>

export class EngineLedger {
  readonly #records = new Map<string, VolumeRecord>()

  /** Takes in what the engine has told. */
  note(note: VolumeNote): void {
    if (note.kind === 'volume.forgotten') {
      this.#records.delete(note.volumeId)
      return
    }
    const before = this.#records.get(note.volumeId)
    // What is told of a volume that was forgotten by then is of no use to anybody.
    if (before || note.changed.descriptor)
      this.#records.set(note.volumeId, { ...before, ...note.changed } as VolumeRecord)
  }

  get records(): VolumeRecord[] {
    return [...this.#records.values()]
  }

  /** All of it as plain data. To be called when no engine and no worker is at work. */
  export(memory: EngineMemory): EngineExport {
    const open = this.records.filter(
      ({ descriptor }) => new ControlBlock(descriptor.control).stage !== VOLUME_STAGE.gone,
    )
    return { format: 1, volumes: open.map(exported), memory: memory.export() }
  }

  /** Begins with what another process has exported. */
  import({ volumes }: EngineExport): void {
    for (const { descriptor, control, ...record } of volumes) {
      const words = ControlBlock.import(control).shared
      this.#records.set(descriptor.spec.volumeId, { ...record, descriptor: { ...descriptor, control: words } })
    }
  }
}

function exported({ descriptor, replaced: _replaced, ...record }: VolumeRecord): ExportedVolume {
  const { control, ...described } = descriptor
  return { ...record, descriptor: described, control: new ControlBlock(control).export() }
}
