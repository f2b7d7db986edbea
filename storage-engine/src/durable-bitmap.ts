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
  bitmapRegionBytes,
  countPresent,
  type MappedBitmap,
  readBitmapHeader,
  upgradeBitmapFile,
  writeBitmapHeader,
} from '@scsipub/volume'
import type { PersistentFiles } from './volume-files.js'

/** Looked at before others of the engine have a turn: bits for 4 GiB. A large volume has thousands of such pieces, most of them zeros. */
const PIECE_BYTES = 1024 * 1024
const ZEROS = Buffer.alloc(PIECE_BYTES)

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
      await overwrite(live, { from: BITMAP_HEADER_BYTES, to: presenceEnd, with: durable })
      await overwrite(live, { from: presenceEnd, to: bitmapFileBytes(sizeSectors, header.format), with: undefined })
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

/** Has a part of a file be what another file has there, or zeros. What is so already is not written: most of it, and it takes no room on the disk as long as nobody writes it. */
async function overwrite(file: number, o: { from: number; to: number; with: number | undefined }): Promise<void> {
  const wanted = Buffer.alloc(PIECE_BYTES)
  const found = Buffer.allocUnsafe(PIECE_BYTES)
  for (let position = o.from; position < o.to; position += PIECE_BYTES) {
    const length = Math.min(PIECE_BYTES, o.to - position)
    if (o.with !== undefined) readAll(o.with, wanted, length, position)
    readAll(file, found, length, position)
    if (wanted.compare(found, 0, length, 0, length) !== 0) writeAll(file, wanted, length, position)
    await setImmediate() // others of the engine get their turn
  }
}

function readAll(file: number, buffer: Buffer, length: number, position: number): void {
  for (let done = 0; done < length; ) {
    const bytesRead = readSync(file, buffer, done, length - done, position + done)
    if (bytesRead === 0) throw new Error('a bitmap became shorter while it was read')
    done += bytesRead
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
  readonly #page = Buffer.allocUnsafe(BITMAP_PAGE_BYTES)

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
      readAll(this.#fd, this.#page, BITMAP_PAGE_BYTES, BITMAP_HEADER_BYTES + page * BITMAP_PAGE_BYTES)
      if (always.has(page) || !live.equals(this.#page)) changed.push({ page, bytes: Buffer.from(live) })
    }
    return changed
  }

  /** Writes copies made by `changed`. They are durable after a sync of `fd`. */
  write({ page, bytes }: ChangedPage): void {
    writeAll(this.#fd, bytes, bytes.length, BITMAP_HEADER_BYTES + page * BITMAP_PAGE_BYTES)
  }

  /**
   * Marks the pages that differ from the live bitmap and books the sectors that the live bitmap has, less those deallocated. Both are read as files: what is looked at
   * through the mapping counts as memory of the process, gigabytes of a large disk.
   */
  async compare(livePath: string, sizeSectors: number, control: ControlBlock): Promise<void> {
    const regionBytes = bitmapRegionBytes(sizeSectors)
    const [durable, live] = [Buffer.allocUnsafe(PIECE_BYTES), Buffer.allocUnsafe(PIECE_BYTES)]
    let booked = 0
    let unmapped = 0
    const file = openSync(livePath, 'r')
    try {
      for (let first = 0; first < regionBytes; first += PIECE_BYTES) {
        const length = Math.min(PIECE_BYTES, regionBytes - first)
        const position = BITMAP_HEADER_BYTES + first
        const count = (region: number) => {
          readAll(file, live, length, position + region * regionBytes)
          return isZero(live, length) ? 0 : countPresent(new Int32Array(live.buffer, live.byteOffset, length / 4))
        }
        const present = count(0)
        readAll(this.#fd, durable, length, position)
        for (const at of differingPages(live, durable, length)) control.dirty.mark((first + at) / BITMAP_PAGE_BYTES)
        const deallocated = count(1)
        booked += present - deallocated
        unmapped += deallocated + count(2)
        await setImmediate()
      }
    } finally {
      closeSync(file)
    }
    control.space.allocatedSectors = booked
    if (unmapped > 0) control.setEverUnmapped()
  }
}

/** Where pages begin that differ, of two pieces. */
function differingPages(one: Buffer, other: Buffer, length: number): number[] {
  if (one.compare(other, 0, length, 0, length) === 0) return []
  const pages = Array.from({ length: length / BITMAP_PAGE_BYTES }, (_, page) => page * BITMAP_PAGE_BYTES)
  return pages.filter(at => one.compare(other, at, at + BITMAP_PAGE_BYTES, at, at + BITMAP_PAGE_BYTES) !== 0)
}

function isZero(bytes: Buffer, length: number): boolean {
  return ZEROS.compare(bytes, 0, length, 0, length) === 0
}

/** A live page itself, not a copy. */
function pageOf({ words }: MappedBitmap, page: number): Buffer {
  return Buffer.from(words.buffer, words.byteOffset + page * BITMAP_PAGE_BYTES, BITMAP_PAGE_BYTES)
}
