/**
 * `volumes/ID/next/`: the files that a volume is going to have, made while it has its old ones. They count for nothing before the change is in the journal
 * (switch-journal.ts), and a volume that is opened without one throws them away.
 */
import { closeSync, existsSync, fsyncSync, ftruncateSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { BITMAP_PAGE_BYTES } from '@scsipub/contract'
import {
  BITMAP_FORMAT,
  BITMAP_HEADER_BYTES,
  bitmapRegionBytes,
  createBitmapFile,
  type MappedBitmap,
  SECTOR_BYTES,
} from '@scsipub/volume'
import { syncDirectory } from '../data-directory.js'
import { filesIn } from '../volume-files.js'

/** Pages copied before other volumes have a turn. */
const PAGES_A_TURN = 1024
const ZERO_PAGE = Buffer.alloc(BITMAP_PAGE_BYTES)

export function nextOf(place: string): string {
  return join(place, 'next')
}

export function hasNext(place: string): boolean {
  return existsSync(nextOf(place))
}

/** Takes away what is there, if anything is. Throws system errors. */
export function removeNext(place: string): void {
  rmSync(nextOf(place), { recursive: true, force: true })
}

/** Makes an empty overlay and bitmaps, durably, for the volume in `place`. Throws system errors. */
export function makeEmptyNext(place: string, { sizeBytes, bootId }: { sizeBytes: number; bootId: string }): void {
  begin(place)
  const { overlayPath, bitmapPath, durablePath } = filesIn(nextOf(place))
  closeSync(openSync(overlayPath, 'wx', 0o600))
  setLength(overlayPath, sizeBytes)
  makeBitmaps({ bitmapPath, durablePath }, sizeBytes, bootId)
  end(place)
}

/**
 * Makes bitmaps for a size of `sizeBytes`, with the bits of `from`, the live bitmap of a volume that is smaller and has been flushed; so what is
 * present is durable, too. Rejects with system errors.
 */
export async function makeGrownNext(
  place: string,
  from: MappedBitmap,
  { sizeBytes, bootId }: { sizeBytes: number; bootId: string },
): Promise<void> {
  begin(place)
  const { bitmapPath, durablePath } = filesIn(nextOf(place))
  makeBitmaps({ bitmapPath, durablePath }, sizeBytes, bootId)
  const regionBytes = bitmapRegionBytes(sizeBytes / SECTOR_BYTES)
  for (const [index, words] of [from.words, from.deallocated, from.anchored].entries())
    await copyBits(words, bitmapPath, BITMAP_HEADER_BYTES + index * regionBytes)
  await copyBits(from.words, durablePath, BITMAP_HEADER_BYTES)
  end(place)
}

function begin(place: string): void {
  removeNext(place)
  mkdirSync(nextOf(place), { mode: 0o700 })
}

function end(place: string): void {
  syncDirectory(nextOf(place))
  syncDirectory(place)
}

function makeBitmaps(
  { bitmapPath, durablePath }: { bitmapPath: string; durablePath: string },
  sizeBytes: number,
  bootId: string,
): void {
  const sizeSectors = sizeBytes / SECTOR_BYTES
  createBitmapFile(bitmapPath, { sizeSectors, bootId, format: BITMAP_FORMAT.provisioned })
  createBitmapFile(durablePath, { sizeSectors, bootId, format: BITMAP_FORMAT.presence })
  syncFile(bitmapPath)
  syncFile(durablePath)
}

/** Writes the pages that have a bit, from `position` on, and syncs them. */
async function copyBits(words: Int32Array, path: string, position: number): Promise<void> {
  const pageWords = BITMAP_PAGE_BYTES / 4
  const fd = openSync(path, 'r+')
  try {
    for (let page = 0; page * pageWords < words.length; page++) {
      const bits = words.subarray(page * pageWords, (page + 1) * pageWords)
      const bytes = Buffer.from(bits.buffer, bits.byteOffset, bits.byteLength)
      if (!bytes.equals(ZERO_PAGE)) writePage(fd, bytes, position + page * BITMAP_PAGE_BYTES)
      if (page % PAGES_A_TURN === PAGES_A_TURN - 1) await setImmediate()
    }
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

function writePage(fd: number, bytes: Buffer, position: number): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, position + done)
}

/** Gives a file a length, durably. Throws system errors. */
export function setLength(path: string, lengthBytes: number): void {
  const fd = openSync(path, 'r+')
  try {
    ftruncateSync(fd, lengthBytes)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

function syncFile(path: string): void {
  const fd = openSync(path, 'r+')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
