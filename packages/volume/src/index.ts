export { BaseFiles } from './base-files.js'
export {
  BITMAP_HEADER_BYTES,
  BitmapDamaged,
  type BitmapHeader,
  bitmapFileBytes,
  createBitmapFile,
  MappedBitmap,
  readBitmapHeader,
  writeBitmapHeader,
} from './bitmap-file.js'
export { type BorrowContext, type BorrowedVolume, BorrowedVolumes } from './borrowed-volumes.js'
export { ChargedWriter } from './charged-writer.js'
export { countPresent, SECTOR_BYTES } from './sector-bits.js'
export { SectorStore } from './sector-store.js'
export { isOutOfSpace, VolumeError, type VolumeErrorCode } from './volume-error.js'
