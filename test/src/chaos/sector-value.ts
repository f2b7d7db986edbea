// What a sector can hold, as a value: which write it comes from, not its bytes. The bytes follow from it, so that any sector of any disk can be
// checked against any write of the run, down to the last byte.
//
// Data carries its write and its sector in its first two words, for the report of a fault; the other words depend on both.

import { mix } from './dice.js'

export const SECTOR_BYTES = 512
const WORDS = SECTOR_BYTES / 4

/** The write that made the base images. */
export const BASE_TAG = 1

/**
 * absent     never written, and no base: zeros
 * hole       deallocated: zeros
 * anchored   zeros that keep their room
 * zero       zeros, whatever they are to GET LBA STATUS
 * below      what the snapshot holds that the disk stands on; zeros behind its end
 * data       a write's own bytes for that sector
 * same       one block that a WRITE SAME has put everywhere
 * or         what was there, with the bits of a write added
 */
export type SectorValue =
  | { readonly kind: 'absent' | 'hole' | 'anchored' | 'zero' | 'below' }
  | { readonly kind: 'data' | 'same'; readonly tag: number }
  | { readonly kind: 'or'; readonly below: SectorValue; readonly tag: number }

const scratch = Buffer.alloc(SECTOR_BYTES)
const scratchWords = new Int32Array(scratch.buffer, scratch.byteOffset, WORDS)
const ANY_SECTOR = 0xffff_ffff

/** The bytes of `count` sectors from `first`, as a write of that tag has them. */
export function dataOf(tag: number, first: number, count: number): Buffer {
  const data = Buffer.alloc(count * SECTOR_BYTES)
  const words = new Int32Array(data.buffer, data.byteOffset, count * WORDS)
  for (let index = 0; index < count; index++)
    putWords(words.subarray(index * WORDS, (index + 1) * WORDS), tag, first + index)
  return data
}

/** The block of a WRITE SAME. */
export function blockOf(tag: number): Buffer {
  const block = Buffer.alloc(SECTOR_BYTES)
  putWords(new Int32Array(block.buffer, block.byteOffset, WORDS), tag, ANY_SECTOR)
  return block
}

/** Whether the sector of `content` at byte `at` is what the value says; `below` is the content of the snapshot that the disk stands on. */
export function holds(content: Buffer, at: number, sector: number, value: SectorValue, below?: Buffer): boolean {
  scratchWords.fill(0)
  if (value.kind === 'below') below?.subarray(sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES).copy(scratch)
  addBits(scratchWords, value, sector)
  return content.compare(scratch, 0, SECTOR_BYTES, at, at + SECTOR_BYTES) === 0
}

/** What GET LBA STATUS has to say of it; undefined where both answers are right. */
export function statusOf(value: SectorValue): 0 | 1 | 2 | undefined {
  switch (value.kind) {
    case 'absent':
    case 'hole':
      return 1
    case 'anchored':
      return 2
    case 'zero':
    case 'below':
      return undefined
    default:
      return 0
  }
}

/** A value in words. */
export function describeValue(value: SectorValue): string {
  switch (value.kind) {
    case 'data':
      return value.tag === BASE_TAG ? 'the base' : `write ${value.tag}`
    case 'same':
      return `write same ${value.tag}`
    case 'or':
      return `${describeValue(value.below)} | write ${value.tag}`
    case 'below':
      return 'what its snapshot holds'
    default:
      return value.kind
  }
}

/** Bytes in words, as far as they can be recognised. */
export function describeBytes(content: Buffer, at: number): string {
  const sector = content.subarray(at, at + SECTOR_BYTES)
  if (sector.every(byte => byte === 0)) return 'zeros'
  const tag = sector.readUInt32LE(0)
  const place = sector.readUInt32LE(4)
  const value: SectorValue = { kind: place === ANY_SECTOR ? 'same' : 'data', tag }
  if (holds(content, at, place, value))
    return `${describeValue(value)}, made for sector ${place === ANY_SECTOR ? 'any' : place}`
  return `bytes of no write (${sector.toString('hex', 0, 16)}…)`
}

function addBits(words: Int32Array, value: SectorValue, sector: number): void {
  if (value.kind === 'or') addBits(words, value.below, sector)
  if (!('tag' in value)) return
  const before = value.kind === 'or' ? Int32Array.from(words) : undefined
  putWords(words, value.tag, value.kind === 'same' ? ANY_SECTOR : sector)
  if (before) for (let index = 0; index < WORDS; index++) words[index]! |= before[index]!
}

function putWords(words: Int32Array, tag: number, sector: number): void {
  words[0] = tag
  words[1] = sector
  let state = mix(tag, sector)
  for (let index = 2; index < WORDS; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    words[index] = state ^ (state >>> 15)
  }
}
