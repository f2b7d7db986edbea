/**
 * The two stages of a persistent volume's bitmap.
 *
 * The live bitmap is the one that workers map; it carries the boot id of the kernel in whose page cache it was last
 * right, and is trusted as long as that kernel runs: also after the server was killed. The durable bitmap has only bits
 * whose sectors were synced before; after another start of the machine it replaces the live one. Bits are only ever
 * added, so a durable page that was half written when the power went is right too: each of its bits is old or new, and
 * the data of both is on the disk.
 *
 * What is deallocated or anchored stands in the live bitmap alone. A durable bitmap that takes over has none of it: those sectors are
 * mapped then, and read as the zeros that they were made, if that was flushed.
 */
import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { BITMAP_PAGE_BYTES, type ControlBlock } from '@scsipub/contract'
import {
  BITMAP_FORMAT,
  BITMAP_HEADER_BYTES,
  BitmapDamaged,
  bitmapFileBytes,
  countPresent,
  type MappedBitmap,
  readBitmapHeader,
  upgradeBitmapFile,
  writeBitmapHeader,
} from '@scsipub/volume'
import type { PersistentFiles } from './volume-files.js'

const COPY_BYTES = 1024 * 1024

/** Which bitmap was taken at the opening. */
export type Trusted = 'live' | 'durable'

/**
 * Makes the live bitmap the right one, before anybody maps it. Throws `BitmapDamaged` when a header cannot be believed:
 * guessing would lose or invent sectors.
 */
export async function settle(files: PersistentFiles, sizeSectors: number, bootId: string): Promise<Trusted> {
  // Opened synchronously: of a thread that ends while it opens a file in another way, Node leaves the file open.
  const live = openSync(files.bitmapPath, 'r+')
  try {
    const durable = openSync(files.durablePath, 'r')
    try {
      const header = upgradeBitmapFile(live, readBitmapHeader(live, files.bitmapPath))
      requireSize(files.bitmapPath, header.sizeSectors, sizeSectors)
      requireSize(files.durablePath, readBitmapHeader(durable, files.durablePath).sizeSectors, sizeSectors)
      if (header.bootId === bootId) return 'live'
      const presenceEnd = bitmapFileBytes(sizeSectors, BITMAP_FORMAT.presence)
      await copyBits(durable, live, presenceEnd)
      await zeroBits(live, presenceEnd, bitmapFileBytes(sizeSectors, header.format))
      // Last: until here, whoever starts again finds the old boot id and copies again.
      writeBitmapHeader(live, { ...header, bootId })
      return 'durable'
    } finally {
      closeSync(durable)
    }
  } finally {
    closeSync(live)
  }
}

function requireSize(path: string, found: number, wanted: number): void {
  if (found !== wanted) throw new BitmapDamaged(path, `it describes ${found} sectors and the volume has ${wanted}`)
}

async function copyBits(from: number, to: number, endBytes: number): Promise<void> {
  const buffer = Buffer.allocUnsafe(COPY_BYTES)
  for (let position = BITMAP_HEADER_BYTES; position < endBytes; ) {
    const bytesRead = readSync(from, buffer, 0, Math.min(COPY_BYTES, endBytes - position), position)
    if (bytesRead === 0) throw new Error('a bitmap became shorter while it was read')
    writeAll(to, buffer, bytesRead, position)
    position += bytesRead
    await setImmediate() // others of the engine get their turn
  }
}

async function zeroBits(file: number, position: number, endBytes: number): Promise<void> {
  const zeros = Buffer.alloc(COPY_BYTES)
  for (let at = position; at < endBytes; at += zeros.length) {
    writeAll(file, zeros, Math.min(zeros.length, endBytes - at), at)
    await setImmediate()
  }
}

function writeAll(file: number, buffer: Buffer, length: number, position: number): void {
  for (let done = 0; done < length; ) {
    done += writeSync(file, buffer, done, length - done, position + done)
  }
}

/** A page of bits that the durable bitmap does not have yet. */
export interface ChangedPage {
  page: number
  bytes: Buffer
}

/** The durable bitmap of an open volume. */
export class DurableBitmap {
  readonly #fd: number
  readonly #durable: Buffer = Buffer.allocUnsafe(BITMAP_PAGE_BYTES)

  constructor(path: string) {
    this.#fd = openSync(path, 'r+')
  }

  get fd(): number {
    return this.#fd
  }

  close(): void {
    closeSync(this.#fd)
  }

  /** Copies of those of the given live pages that differ or are in `always`. A mark may have been set without a new bit. */
  changed(bitmap: MappedBitmap, pages: readonly number[], always: ReadonlySet<number>): ChangedPage[] {
    const changed: ChangedPage[] = []
    for (const page of pages) {
      const live = pageOf(bitmap, page)
      this.#read(page)
      if (always.has(page) || !live.equals(this.#durable)) changed.push({ page, bytes: Buffer.from(live) })
    }
    return changed
  }

  /** Writes copies made by `changed`. They are durable after a sync of `fd`. */
  write({ page, bytes }: ChangedPage): void {
    const position = BITMAP_HEADER_BYTES + page * BITMAP_PAGE_BYTES
    for (let done = 0; done < bytes.length; )
      done += writeSync(this.#fd, bytes, done, bytes.length - done, position + done)
  }

  /** Marks the pages that differ from the live bitmap and books the sectors that the live bitmap has, less those deallocated. */
  async compare(bitmap: MappedBitmap, control: ControlBlock): Promise<void> {
    const pages = (bitmap.words.length * 4) / BITMAP_PAGE_BYTES
    let booked = 0
    let unmapped = 0
    for (let page = 0; page < pages; page++) {
      const live = pageOf(bitmap, page)
      this.#read(page)
      if (!live.equals(this.#durable)) control.dirty.mark(page)
      const deallocated = countPresent(wordsOf(bitmap.deallocated, page))
      booked += countPresent(wordsOf(bitmap.words, page)) - deallocated
      unmapped += deallocated + countPresent(wordsOf(bitmap.anchored, page))
      // A large volume has thousands of pages, and other volumes have requests.
      if (page % 256 === 255) await setImmediate()
    }
    control.space.allocatedSectors = booked
    if (unmapped > 0) control.setEverUnmapped()
  }

  #read(page: number): void {
    const position = BITMAP_HEADER_BYTES + page * BITMAP_PAGE_BYTES
    if (readSync(this.#fd, this.#durable, 0, BITMAP_PAGE_BYTES, position) !== BITMAP_PAGE_BYTES) {
      throw new Error('the durable bitmap became shorter')
    }
  }
}

/** The live page itself, not a copy. */
function pageOf({ words }: MappedBitmap, page: number): Buffer {
  return Buffer.from(words.buffer, words.byteOffset + page * BITMAP_PAGE_BYTES, BITMAP_PAGE_BYTES)
}

function wordsOf(region: Int32Array, page: number): Int32Array {
  const words = BITMAP_PAGE_BYTES / 4
  return region.subarray(page * words, (page + 1) * words)
}
