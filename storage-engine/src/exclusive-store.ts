/**
 * The data of one volume for the engine itself: base and overlay read as workers read them, overlay and bitmap written with quota and marks. To be
 * used with the gate closed and nothing in flight. The first use makes the files of a volume that has none, and opens them.
 */
import {
  baseOf,
  type ControlBlock,
  type EngineMemory,
  type VolumeDescriptor,
  type VolumeFiles,
  type VolumeSpec,
} from '@scsipub/contract'
import { type Base, type BaseFiles, ChargedWriter, Provisioning, SectorStore } from '@scsipub/volume'

export class ExclusiveStore {
  readonly #spec: VolumeSpec
  readonly #materialise: () => VolumeFiles
  readonly #sectors: SectorStore
  readonly #writer: ChargedWriter
  readonly #control: ControlBlock
  readonly #memory: EngineMemory

  /** `materialise` gives the files, and makes them when there are none; throws `RpcError`. */
  constructor(o: {
    descriptor: VolumeDescriptor
    control: ControlBlock
    bases: BaseFiles
    memory: EngineMemory
    materialise: () => VolumeFiles
  }) {
    const { spec } = o.descriptor
    this.#spec = spec
    this.#control = o.control
    this.#memory = o.memory
    this.#materialise = o.materialise
    this.#sectors = new SectorStore(o.bases, baseOf(o.descriptor))
    this.#writer = new ChargedWriter(this.#sectors, o.control, spec)
  }

  /** A copy of `length` bytes at `position`; whole sectors. Rejects with VolumeError, and as `open` throws. */
  async read(position: number, length: number): Promise<Buffer> {
    const target = Buffer.allocUnsafeSlow(length)
    await this.open().read(position, target, 0, length)
    return target
  }

  /**
   * Writes whole sectors; see `ChargedWriter.write`. All of them are written, also if the thread is ended meanwhile (`EngineMemory.recorded`), and with them the
   * operation that was begun counts as done. Throws VolumeError, and as `open`.
   */
  write(position: number, data: Uint8Array): void {
    this.open()
    const { buffer, byteOffset, length } = data
    this.#memory.recorded(this.#spec.volumeId, position, data, () => {
      this.#writer.write(position, Buffer.from(buffer as ArrayBuffer, byteOffset, length), 0, length)
      this.#control.endOperation()
    })
  }

  /** Makes sure that a write of `length` bytes at `position` finds quota and room. Throws VolumeError 'space', and as `open`. */
  reserve(position: number, length: number): void {
    this.open()
    this.#writer.reserve(position, length)
  }

  /** Writes whole sectors that were reserved; when that fails, what was there before is there again. Rejects with VolumeError. */
  async writeWhole(position: number, data: Uint8Array): Promise<void> {
    const old = await this.read(position, data.length)
    try {
      this.write(position, data)
    } catch (error) {
      this.open().writeData(position, old, 0, old.length)
      throw error
    }
  }

  /** Puts data back that was written and charged before, when nobody has borrowed the volume yet. Throws VolumeError, and as `open`. */
  restore(position: number, data: Buffer): void {
    const sectors = this.open()
    sectors.clearUnmapped(position, data.length)
    sectors.writeData(position, data, 0, data.length)
    sectors.markPresent(position, data.length)
  }

  /** What makes sectors deallocated, anchored or mapped. Throws as `open`, and VolumeError. */
  provisioning(): Provisioning {
    const { overlay, base } = this.open()
    return new Provisioning(overlay, this.#control, base)
  }

  /** What is under the overlay. Throws VolumeError. */
  get base(): Base | undefined {
    return this.#sectors.base
  }

  /** The sectors, with an overlay. Throws `RpcError` 'space', 'io' or 'gone', system errors, `BitmapDamaged`. */
  open(): SectorStore {
    const files = this.#materialise()
    if (!this.#sectors.hasOverlay) this.#sectors.openOverlay(files, this.#spec.sizeBytes)
    return this.#sectors
  }

  /** Closes the files. Nothing may be under way. */
  close(): void {
    this.#sectors.close()
  }
}
