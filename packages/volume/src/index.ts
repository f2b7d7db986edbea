export { VolumeError, isOutOfSpace, type VolumeErrorCode } from './volume-error.js'
export { BorrowedVolumes, type BorrowContext, type BorrowedVolume } from './borrowed-volumes.js'
export { countPresent, SECTOR_BYTES } from './sector-bits.js'
export {
  BITMAP_HEADER_BYTES,
  BitmapDamaged,
  bitmapFileBytes,
  createBitmapFile,
  MappedBitmap,
  readBitmapHeader,
  writeBitmapHeader,
  type BitmapHeader,
} from './bitmap-file.js'
