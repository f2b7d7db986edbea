/**
 * Looks at the overlay past gate and bitmap, as an exclusive action of the engine may.
 */
import { closeSync, openSync, readSync } from 'node:fs'
import type { VolumeDescriptor } from '@scsipub/contract'

export class Reader {
  readonly #fd: number

  constructor({ files }: VolumeDescriptor) {
    if (!files) throw new Error('the volume has no files')
    this.#fd = openSync(files.overlayPath, 'r')
  }

  /** The first 8 KiB. */
  read(): Buffer {
    const block = Buffer.alloc(8192)
    readSync(this.#fd, block, 0, block.length, 0)
    return block
  }

  close(): void {
    closeSync(this.#fd)
  }
}
