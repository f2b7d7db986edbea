/**
 * The bitmap file of a volume: which sectors the overlay holds, and which of those hold nothing.
 *
 *   bytes 0..4095   header: what the file describes, and the boot of the kernel in which its bits were last trusted
 *        0   8      magic
 *        8   4      format: 1 has the first region only, 2 has all three
 *       12   4      bytes a sector
 *       16   8      sectors
 *       24  40      boot id, padded with zeros
 *       64  32      SHA-256 of bytes 0..63
 *   bytes 4096..    regions of one size, in whole pages; little-endian words, sector s is bit s & 31 of word s >>> 5
 *        present       the overlay has the sector; else it is the base's, or zeros
 *        deallocated   the overlay has a hole there, which reads as zeros and counts nothing (always present, too)
 *        anchored      the same, but counted: a write to it needs no more room (always present, never deallocated)
 *
 * The live bitmap of a volume has format 2; one of format 1, from before sectors could be unmapped, grows at the opening. The durable
 * bitmap, which knows of presence alone, keeps format 1.
 * The header fits into one 512-byte block and so changes whole or not at all. All blocks are reserved when the file is
 * made: a store into a mapped page that finds no room would kill the process.
 */
import { createHash } from 'node:crypto'
import { closeSync, fstatSync, fsyncSync, openSync, readSync, statfsSync, writeSync } from 'node:fs'
import { BITMAP_PAGE_BYTES, SECTORS_PER_BITMAP_PAGE } from '@scsipub/contract'
import { fallocate, mmapShared, type SharedMapping } from '@scsipub/posix'
import { SECTOR_BYTES } from './sector-bits.js'

export const BITMAP_HEADER_BYTES = BITMAP_PAGE_BYTES
const MAGIC = 'scsipubB'

/** What a file has: presence alone, or also what has been unmapped. */
export const BITMAP_FORMAT = { presence: 1, provisioned: 2 } as const
export type BitmapFormat = (typeof BITMAP_FORMAT)[keyof typeof BITMAP_FORMAT]
const REGIONS: Readonly<Record<BitmapFormat, number>> = { 1: 1, 2: 3 }

const BOOT_ID_AT = 24
const BOOT_ID_BYTES = 40
const DIGEST_AT = 64
const HEADER_USED_BYTES = 96

export interface BitmapHeader {
  sizeSectors: number
  bootId: string
  format: BitmapFormat
}

/** A bitmap file whose header cannot be believed. */
export class BitmapDamaged extends Error {
  constructor(path: string, what: string) {
    super(`the bitmap ${path} is damaged: ${what}`)
    this.name = 'BitmapDamaged'
  }
}

/** Length of one region for a volume of `sizeSectors`. */
export function bitmapRegionBytes(sizeSectors: number): number {
  return Math.ceil(sizeSectors / SECTORS_PER_BITMAP_PAGE) * BITMAP_PAGE_BYTES
}

/** Length of the whole file for a volume of `sizeSectors`. */
export function bitmapFileBytes(sizeSectors: number, format: BitmapFormat): number {
  return BITMAP_HEADER_BYTES + REGIONS[format] * bitmapRegionBytes(sizeSectors)
}

/** Makes a bitmap without a bit; the file must not exist. Throws ENOSPC and the like; a file may be left behind then. */
export function createBitmapFile(path: string, header: BitmapHeader): void {
  const fd = openSync(path, 'wx+', 0o600)
  try {
    reserve(fd, bitmapFileBytes(header.sizeSectors, header.format))
    writeBitmapHeader(fd, header)
  } finally {
    closeSync(fd)
  }
}

/**
 * Gives an open bitmap file of format 1 the regions of format 2, without a bit in them. The header says so last, and only once the file
 * is durably longer: whatever happens in between, it is a bitmap of format 1 still. Throws ENOSPC and the like.
 */
export function upgradeBitmapFile(fd: number, header: BitmapHeader): BitmapHeader {
  if (header.format === BITMAP_FORMAT.provisioned) return header
  const upgraded = { ...header, format: BITMAP_FORMAT.provisioned }
  reserve(fd, bitmapFileBytes(header.sizeSectors, upgraded.format))
  fsyncSync(fd)
  writeBitmapHeader(fd, upgraded)
  return upgraded
}

/** Takes all blocks of a file, or as far as one can know beforehand none: a file system that is filled up until no more is left fails the writes of others. */
function reserve(fd: number, lengthBytes: number): void {
  const { bavail, bsize } = statfsSync(`/proc/self/fd/${fd}`)
  const missing = lengthBytes - fstatSync(fd).blocks * 512 - bavail * bsize
  if (missing > 0)
    throw Object.assign(new Error(`ENOSPC: no room for a bitmap of ${lengthBytes} bytes`), { code: 'ENOSPC' })
  fallocate(fd, 0, lengthBytes)
}

/** Writes the header into an open bitmap file, in one write. */
export function writeBitmapHeader(fd: number, { sizeSectors, bootId, format }: BitmapHeader): void {
  if (Buffer.byteLength(bootId) > BOOT_ID_BYTES) throw new RangeError(`a boot id has at most ${BOOT_ID_BYTES} bytes`)
  const bytes = Buffer.alloc(HEADER_USED_BYTES)
  bytes.write(MAGIC, 0, 'latin1')
  bytes.writeUInt32LE(format, 8)
  bytes.writeUInt32LE(SECTOR_BYTES, 12)
  bytes.writeBigUInt64LE(BigInt(sizeSectors), 16)
  bytes.write(bootId, BOOT_ID_AT)
  digest(bytes).copy(bytes, DIGEST_AT)
  if (writeSync(fd, bytes, 0, bytes.length, 0) !== bytes.length) throw new Error('the header of a bitmap was cut short')
}

/** Reads and checks the header of an open bitmap file. Throws `BitmapDamaged`. */
export function readBitmapHeader(fd: number, path: string): BitmapHeader {
  const bytes = Buffer.alloc(HEADER_USED_BYTES)
  if (readSync(fd, bytes, 0, bytes.length, 0) !== bytes.length)
    throw new BitmapDamaged(path, 'it is too short for a header')
  if (bytes.toString('latin1', 0, 8) !== MAGIC) throw new BitmapDamaged(path, 'it does not begin like a bitmap')
  if (!digest(bytes).equals(bytes.subarray(DIGEST_AT, HEADER_USED_BYTES)))
    throw new BitmapDamaged(path, 'its header has a wrong checksum')
  const format = bytes.readUInt32LE(8)
  if (!isFormat(format)) throw new BitmapDamaged(path, `format ${format} is unknown here`)
  const sectorBytes = bytes.readUInt32LE(12)
  if (sectorBytes !== SECTOR_BYTES) throw new BitmapDamaged(path, `sectors of ${sectorBytes} bytes are unknown here`)
  const sizeSectors = Number(bytes.readBigUInt64LE(16))
  const wanted = bitmapFileBytes(sizeSectors, format)
  const found = fstatSync(fd).size
  // One that is as long as the next format is one whose upgrade was interrupted.
  const grown = format === BITMAP_FORMAT.presence && found === bitmapFileBytes(sizeSectors, BITMAP_FORMAT.provisioned)
  if (found !== wanted && !grown) throw new BitmapDamaged(path, `it has ${found} bytes instead of ${wanted}`)
  const bootId = bytes.toString('utf8', BOOT_ID_AT, BOOT_ID_AT + BOOT_ID_BYTES).replace(/\0+$/, '')
  return { sizeSectors, bootId, format }
}

function isFormat(format: number): format is BitmapFormat {
  return format in REGIONS
}

function digest(header: Buffer): Buffer {
  return createHash('sha256').update(header.subarray(0, DIGEST_AT)).digest()
}

/** A mapped bitmap of format 2. The words are the bits alone, one a sector; deadly after `unmap()`, see `SharedMapping`. */
export class MappedBitmap {
  /** Presence. */
  words: Int32Array
  deallocated: Int32Array
  anchored: Int32Array
  readonly #mapping: SharedMapping

  /** Maps an existing bitmap for a volume of `sizeSectors`; with `mode` 'r' to look at. Throws `BitmapDamaged` and system errors. */
  constructor(path: string, sizeSectors: number, mode: 'r' | 'r+' = 'r+') {
    const fd = openSync(path, mode)
    try {
      const header = readBitmapHeader(fd, path)
      if (header.sizeSectors !== sizeSectors) {
        throw new BitmapDamaged(path, `it describes ${header.sizeSectors} sectors and the volume has ${sizeSectors}`)
      }
      if (header.format !== BITMAP_FORMAT.provisioned) throw new BitmapDamaged(path, 'it is of an old format')
      this.#mapping = mmapShared(fd, bitmapFileBytes(sizeSectors, header.format), mode === 'r+')
    } finally {
      closeSync(fd)
    }
    const length = bitmapRegionBytes(sizeSectors)
    const region = (index: number) => this.#mapping.words(BITMAP_HEADER_BYTES + index * length, length)
    this.words = region(0)
    this.deallocated = region(1)
    this.anchored = region(2)
  }

  unmap(): void {
    this.words = this.deallocated = this.anchored = new Int32Array(0)
    this.#mapping.unmap()
  }
}
