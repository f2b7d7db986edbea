/**
 * What a borrower needs of an engine, for the tests of this package: it makes overlay and bitmap in a temporary
 * directory and counts how often it was asked.
 */
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ControlBlock, VOLUME_STAGE, type VolumeDescriptor, type VolumeFiles } from '@scsipub/contract'
import { BITMAP_FORMAT, createBitmapFile } from './bitmap-file.js'
import { type BorrowContext, type BorrowedVolume, BorrowedVolumes } from './borrowed-volumes.js'
import { SECTOR_BYTES } from './sector-bits.js'

export interface TestVolumeOptions {
  sizeBytes: number
  quotaBytes?: number
  basePath?: string
  persistence?: 'ephemeral' | 'persistent'
  parent?: string
}

export class TestVolume {
  readonly directory: string
  readonly control: ControlBlock
  readonly descriptor: VolumeDescriptor
  asked: string[] = []
  /** Awaited before each answer. */
  before: () => Promise<void> = async () => undefined

  constructor({
    sizeBytes,
    quotaBytes = 0,
    basePath,
    persistence = 'ephemeral',
    parent = tmpdir(),
  }: TestVolumeOptions) {
    this.directory = mkdtempSync(join(parent, 'scsipub-volume-'))
    this.control = ControlBlock.create(sizeBytes / SECTOR_BYTES, quotaBytes / SECTOR_BYTES)
    const spec = {
      volumeId: 'v',
      persistence,
      sizeBytes,
      quotaBytes,
      blockBytes: 512,
      ...(basePath !== undefined && { basePath }),
    }
    this.descriptor = { spec, identity: { naa: '6', serial: '0' }, control: this.control.shared }
  }

  /** The volumes of a worker with this slot. */
  worker(slot: number): BorrowedVolumes {
    const ask = async ({ kind }: { kind: string }) => {
      this.asked.push(kind)
      await this.before()
      return kind === 'volume.materialise' ? this.makeFiles() : {}
    }
    return new BorrowedVolumes({ slot, engine: { ask } as unknown as BorrowContext['engine'] })
  }

  borrow(slot = 0): BorrowedVolume {
    return this.worker(slot).borrow(this.descriptor)
  }

  makeFiles(): VolumeFiles {
    const files = { overlayPath: join(this.directory, 'overlay'), bitmapPath: join(this.directory, 'bitmap') }
    if (this.control.stage === VOLUME_STAGE.unwritten) {
      const fd = openSync(files.overlayPath, 'wx')
      ftruncateSync(fd, this.descriptor.spec.sizeBytes)
      closeSync(fd)
      createBitmapFile(files.bitmapPath, {
        sizeSectors: this.descriptor.spec.sizeBytes / SECTOR_BYTES,
        bootId: 'test',
        format: BITMAP_FORMAT.provisioned,
      })
      this.control.stage = VOLUME_STAGE.materialised
    }
    return files
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true })
  }
}
