/**
 * What volumes stand on, as far as it is open in this worker: each image and each layer once, however many volumes stand on it. Neither ever changes while
 * a volume refers to it.
 */
import type { LayerFiles, VolumeBase } from '@scsipub/contract'
import { MappedBitmap } from './bitmap-file.js'
import { DataFile } from './data-file.js'
import { type Base, Layer } from './layer.js'
import { SECTOR_BYTES } from './sector-bits.js'
import { readFailure } from './volume-error.js'

interface Entry {
  readonly base: Base
  users: number
  close(): void
}

export class BaseFiles {
  readonly #entries = new Map<string, Entry>()

  /** Opens the base, and all that it stands on, or shares what is open; each `take` needs a `drop`. Throws VolumeError. */
  take(base: VolumeBase): Base {
    const key = keyOf(base)
    let entry = this.#entries.get(key)
    if (!entry) {
      entry = this.#open(base)
      this.#entries.set(key, entry)
    }
    entry.users++
    return entry.base
  }

  drop(base: VolumeBase): void {
    const key = keyOf(base)
    const entry = this.#entries.get(key)
    if (!entry) throw new Error(`the base ${key} is not open`)
    if (--entry.users > 0) return
    this.#entries.delete(key)
    entry.close()
  }

  /** Descriptors open now. */
  get openFiles(): number {
    return this.#entries.size
  }

  #open({ layers, imagePath }: VolumeBase): Entry {
    const [nearest, ...rest] = layers
    if (!nearest) return openImage(imagePath!)
    const under = { layers: rest, ...(imagePath !== undefined && { imagePath }) }
    const lower = isBlank(under) ? undefined : this.take(under)
    try {
      const { file, bitmap } = openLayer(nearest)
      const close = () => {
        file.close()
        bitmap.unmap()
        if (lower) this.drop(under)
      }
      return { base: new Layer(file, bitmap, lower), users: 0, close }
    } catch (error) {
      if (lower) this.drop(under)
      throw readFailure(nearest.overlayPath, error)
    }
  }
}

/** A layer's name may be given to another one when it is gone, while somebody here still has the old one; its id is not. */
function keyOf({ layers: [nearest], imagePath }: VolumeBase): string {
  return nearest ? `layer ${nearest.layerId}` : `image ${imagePath}`
}

function isBlank({ layers, imagePath }: VolumeBase): boolean {
  return layers.length === 0 && imagePath === undefined
}

function openImage(path: string): Entry {
  try {
    const file = new DataFile(path, 'r')
    return { base: file, users: 0, close: () => file.close() }
  } catch (error) {
    throw readFailure(path, error)
  }
}

function openLayer({ overlayPath, bitmapPath, sizeBytes }: LayerFiles): { file: DataFile; bitmap: MappedBitmap } {
  const file = new DataFile(overlayPath, 'r')
  try {
    if (file.sizeBytes !== sizeBytes) throw new Error(`it has ${file.sizeBytes} bytes instead of ${sizeBytes}`)
    return { file, bitmap: new MappedBitmap(bitmapPath, sizeBytes / SECTOR_BYTES, 'r') }
  } catch (error) {
    file.close()
    throw error
  }
}
