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
export { countPresent, SECTOR_BYTES } from './sector-bits.js'
export { isOutOfSpace, VolumeError, type VolumeErrorCode } from './volume-error.js'
