// Wire layouts, serial numbers and checksums: what both the iSCSI and the SCSI package stand on.

export { crc32c, digestBytes, digestMatches, writeDigest } from './crc32c.js'
export type { AnyField, Field } from './field.js'
export { bit, bits, bytes, u8, u16, u24, u32, u64 } from './field.js'
export type { Decoded, DecodedFields, Fields, Layout } from './layout.js'
export { layout } from './layout.js'
export { snAdd, snDiff, snGt, snGte, snLt, snLte } from './serial.js'
