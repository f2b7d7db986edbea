// CRC32C (Castagnoli), the only digest iSCSI knows [7143 §13.1], done by a native module with SIMD.
//
// The number and the bytes on the wire are kept apart: iSCSI sends the CRC with its least significant byte first, which
// is the opposite of every other field in a PDU, and mixing them up works against oneself and against nobody else.

import { crc32c as nativeCrc32c } from '@node-rs/crc32'

/** CRC32C of `buffer` as an unsigned number. `initial` is the result for the bytes before, to go on from there. */
export function crc32c(buffer: Buffer, initial = 0): number {
  return nativeCrc32c(buffer, initial)
}

/** The four bytes of a digest in the order in which they follow a header or data segment [7143 §13.1]. */
export function digestBytes(buffer: Buffer): Buffer {
  const digest = Buffer.allocUnsafe(4)
  writeDigest(buffer, digest, 0)
  return digest
}

/** Computes the digest of `buffer` and writes its four bytes into `target` at `at`. */
export function writeDigest(buffer: Buffer, target: Buffer, at: number): void {
  target.writeUInt32LE(nativeCrc32c(buffer), at)
}

/** Whether the four bytes of `digestBuffer` at `at` are the digest of `buffer`. */
export function digestMatches(buffer: Buffer, digestBuffer: Buffer, at: number): boolean {
  return nativeCrc32c(buffer) === digestBuffer.readUInt32LE(at)
}
