/**
 * Arithmetic on the bits of a bitmap: sector s is bit s & 31 of word s >>> 5. Words are read and changed atomically, for
 * other threads do the same at the same time; an answer about several words is not a snapshot.
 *
 * Sector numbers may exceed 32 bits, so words are found by division and not by a shift.
 */

/** Bytes that one bit stands for. */
export const SECTOR_BYTES = 512

export const PRESENCE = { none: 0, all: 1, mixed: 2 } as const
export type Presence = (typeof PRESENCE)[keyof typeof PRESENCE]

/** Bits `from`..`to` (0..31, inclusive) of a word. */
function mask(from: number, to: number): number {
  return (-1 << from) & (-1 >>> (31 - to))
}

/** Whether all, none or some of `count` ≥ 1 sectors from `first` are present. */
export function presence(words: Int32Array, first: number, count: number): Presence {
  const last = first + count - 1
  const lastWord = Math.floor(last / 32)
  let word = Math.floor(first / 32)
  let bits = mask(first & 31, word === lastWord ? last & 31 : 31)
  const found = Atomics.load(words, word) & bits
  if (found !== 0 && found !== bits) return PRESENCE.mixed
  const full = found !== 0
  while (word < lastWord) {
    word++
    bits = word === lastWord ? mask(0, last & 31) : -1
    if ((Atomics.load(words, word) & bits) !== (full ? bits : 0)) return PRESENCE.mixed
  }
  return full ? PRESENCE.all : PRESENCE.none
}

/**
 * The bits of `count` sectors from `first`, 1 to 32 of them, in the low bits of a word: the first sector's is bit 0. One or two loads, for
 * the small reads that are most of all reads.
 */
export function presenceBits(words: Int32Array, first: number, count: number): number {
  const bit = first & 31
  const word = Math.floor(first / 32)
  let bits = Atomics.load(words, word) >>> bit
  if (bit + count > 32) bits |= Atomics.load(words, word + 1) << (32 - bit)
  return bits & allBits(count)
}

/** What `presenceBits` says when all of `count` sectors are present. */
export function allBits(count: number): number {
  return (-1 >>> (32 - count)) | 0
}

/** The number of zeros below the lowest one of a word that is not 0. */
export function trailingZeros(word: number): number {
  return 31 - Math.clz32(word & -word)
}

/** Whether one sector is present. */
export function isPresent(words: Int32Array, sector: number): boolean {
  return (Atomics.load(words, Math.floor(sector / 32)) & (1 << (sector & 31))) !== 0
}

/**
 * How many sectors from `first`, at most `count` ≥ 1, are present (or absent, as `present` says). The caller has looked at
 * the first one itself and it counts, so the answer is at least 1: another thread may have made it present meanwhile.
 */
export function runLength(words: Int32Array, first: number, count: number, present: boolean): number {
  const flip = present ? -1 : 0
  let length = 0
  while (length < count) {
    const sector = first + length
    const bit = sector & 31
    // Bits that differ from what is wanted, from `bit` on; zeros are shifted in from above: no difference.
    const different = (Atomics.load(words, Math.floor(sector / 32)) ^ flip) >>> bit
    if (different === 0) length += 32 - bit
    else return Math.min(count, Math.max(1, length + trailingZeros(different)))
  }
  return count
}

/** How many of `count` sectors from `first` are absent. */
export function countAbsent(words: Int32Array, first: number, count: number): number {
  let absent = 0
  for (let done = 0; done < count; ) {
    const bit = (first + done) & 31
    const step = Math.min(32 - bit, count - done)
    const bits = mask(bit, bit + step - 1)
    absent += popcount(~Atomics.load(words, Math.floor((first + done) / 32)) & bits)
    done += step
  }
  return absent
}

/** Makes `count` sectors from `first` present and returns how many were not before. */
export function setPresent(words: Int32Array, first: number, count: number): number {
  let added = 0
  for (let done = 0; done < count; ) {
    const bit = (first + done) & 31
    const step = Math.min(32 - bit, count - done)
    const bits = mask(bit, bit + step - 1)
    added += popcount(bits & ~Atomics.or(words, Math.floor((first + done) / 32), bits))
    done += step
  }
  return added
}

/** Takes the bits of `count` sectors from `first` away and returns how many were set. */
export function clearBits(words: Int32Array, first: number, count: number): number {
  let removed = 0
  for (let done = 0; done < count; ) {
    const bit = (first + done) & 31
    const step = Math.min(32 - bit, count - done)
    const bits = mask(bit, bit + step - 1)
    removed += popcount(bits & Atomics.and(words, Math.floor((first + done) / 32), ~bits))
    done += step
  }
  return removed
}

/** Sets, in `to`, the bits of `count` sectors from `first` that are set in `from`. The rest of `to` stays. */
export function copySetBits(from: Int32Array, to: Int32Array, first: number, count: number): void {
  for (let done = 0; done < count; ) {
    const bit = (first + done) & 31
    const step = Math.min(32 - bit, count - done)
    const word = Math.floor((first + done) / 32)
    Atomics.or(to, word, Atomics.load(from, word) & mask(bit, bit + step - 1))
    done += step
  }
}

/** Bits set in all words. */
export function countPresent(words: Int32Array): number {
  let present = 0
  for (let word = 0; word < words.length; word++) {
    const bits = words[word] ?? 0
    if (bits !== 0) present += popcount(bits)
  }
  return present
}

/** Bits set in one word (the parallel count of Hacker's Delight, figure 5-2). */
function popcount(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555)
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333)
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}
