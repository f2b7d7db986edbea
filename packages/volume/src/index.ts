export { BaseFiles } from './base-files.js'
export {
  BITMAP_FORMAT,
  BITMAP_HEADER_BYTES,
  BitmapDamaged,
  type BitmapHeader,
  bitmapFileBytes,
  bitmapRegionBytes,
  createBitmapFile,
  MappedBitmap,
  readBitmapHeader,
  upgradeBitmapFile,
  writeBitmapHeader,
} from './bitmap-file.js'
export { type BorrowContext, type BorrowedVolume, BorrowedVolumes } from './borrowed-volumes.js'
export { ChargedWriter } from './charged-writer.js'
export type { Base } from './layer.js'
export {
  PROVISIONING_STATUS,
  type ProvisionedRun,
  Provisioning,
  type ProvisioningStatus,
  runsOfBase,
  type SectorRange,
} from './provisioning.js'
export { countPresent, SECTOR_BYTES } from './sector-bits.js'
export { SectorStore } from './sector-store.js'
export { hindrance, isOutOfSpace, VolumeError, type VolumeErrorCode, writeFailure } from './volume-error.js'
