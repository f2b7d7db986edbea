// Logical unit numbers: eight bytes on the wire, a small integer everywhere else [SAM-5 §4.7].
//
//   peripheral device addressing [§4.7.7.2]   00 LL 00 00 00 00 00 00    LUN 0 to 255
//   flat space addressing [§4.7.7.3]          01LLLLLL LL 00 …           LUN 256 to 16383
//   well known, REPORT LUNS [§4.7.7.5.1]      C1 01 00 …
//
// Single-level only: a number with a second level, a bus identifier or another addressing method names no logical unit here. A flat
// number below 256 names the same unit as the peripheral one, as initiators expect; it is reported in the peripheral form only.

/** What `decodeLun` gives for the REPORT LUNS well known logical unit. Larger than any flat number, so it never collides. */
export const REPORT_LUNS_WLUN = 0xc101

/** What `decodeLun` gives for a number that no logical unit of this target can have. */
export const NO_LUN = -1

/** Highest ordinary LUN. */
export const MAX_LUN = 0x3fff

/** Decodes the 8 bytes at `offset` to 0…16383, REPORT_LUNS_WLUN or NO_LUN. The caller has made sure that 8 bytes are there. */
export function decodeLun(buffer: Buffer, offset: number): number {
  for (let index = offset + 2; index < offset + 8; index++) if (buffer[index] !== 0) return NO_LUN
  const high = buffer[offset]!
  const low = buffer[offset + 1]!
  if (high === 0x00) return low
  if (high >>> 6 === 0b01) return ((high & 0x3f) << 8) | low
  return ((high << 8) | low) === REPORT_LUNS_WLUN ? REPORT_LUNS_WLUN : NO_LUN
}

/**
 * Encodes a LUN as REPORT LUNS shows it, into `buffer` at `offset` or a fresh buffer of 8 bytes.
 * @throws RangeError for anything but 0…16383 and REPORT_LUNS_WLUN.
 */
export function encodeLun(lun: number, buffer: Buffer = Buffer.allocUnsafe(8), offset = 0): Buffer {
  if (!Number.isInteger(lun) || lun < 0 || (lun > MAX_LUN && lun !== REPORT_LUNS_WLUN))
    throw new RangeError(`no such LUN: ${lun}`)
  buffer.fill(0, offset, offset + 8)
  const word = lun < 0x100 || lun === REPORT_LUNS_WLUN ? lun : 0x4000 | lun
  buffer[offset] = word >>> 8
  buffer[offset + 1] = word & 0xff
  return buffer
}
