// A command descriptor block as a layout, with two maps derived from it [SPC-4 §4.2.2]:
//
//   reserved   bits that must be zero: no field reads them. Setting one ends the command with INVALID FIELD IN CDB.
//   usage      bits that the device server looks at: CDB USAGE DATA of REPORT SUPPORTED OPERATION CODES [SPC-4 §6.35.3].
//
// A field declared as ignored (GROUP NUMBER, for one) is in neither: any value is taken, none has an effect. OPERATION CODE and
// CONTROL are the same in every CDB and are dealt with here. Left out: variable-length CDBs (7Fh).

import type { AnyField, Field, Fields, Layout } from '@scsipub/bytes'
import { layout, u32 } from '@scsipub/bytes'
import type { FieldPointer } from './sense.js'

export interface Cdb<F extends Fields> {
  /** Length in bytes: 6, 10, 12 or 16. */
  readonly size: number
  readonly get: Layout<F>['get']
  readonly reserved: Uint8Array
  readonly usage: Uint8Array
  /** The field pointer that names a field in sense data. */
  readonly pointer: { readonly [Name in keyof F]: FieldPointer }
}

/** A CDB of which only the maps matter. */
export interface AnyCdb {
  readonly size: number
  readonly reserved: Uint8Array
  readonly usage: Uint8Array
}

/**
 * Vendor specific bits 7-6 of CONTROL are ignored. Refused are the reserved ones, NACA, since NORMACA is zero [SAM-5 §5.2], and the obsolete
 * LINK and FLAG: an initiator that sets those expects a behaviour that is not there.
 */
const CONTROL_RESERVED = 0x3f

/** Declares a CDB of `size` bytes with these fields; those in `ignored` are accepted and without effect. */
export function cdb<const F extends Fields>(
  size: number,
  fields: F,
  ignored: readonly (keyof F & string)[] = [],
): Cdb<F> {
  const { get } = layout(size, fields)
  const known = new Uint8Array(size)
  const usage = new Uint8Array(size)
  const pointer: Record<string, FieldPointer> = {}
  for (const [name, field] of Object.entries(fields)) {
    const seen = bitsSeenBy(field, size)
    const used = !(ignored as readonly string[]).includes(name)
    for (let at = 0; at < size; at++) {
      known[at]! |= seen[at]!
      if (used) usage[at]! |= seen[at]!
    }
    const byte = seen.findIndex(mask => mask !== 0)
    pointer[name] = { in: 'cdb', byte, bit: 31 - Math.clz32(seen[byte]!) }
  }
  const reserved = known.map(mask => ~mask)
  reserved[0] = 0
  usage[0] = 0xff
  reserved[size - 1] = CONTROL_RESERVED
  return { size, get, reserved, usage, pointer: pointer as Cdb<F>['pointer'] }
}

/** Finds the bits of a field by setting each bit of an empty CDB and asking whether the field notices. */
function bitsSeenBy(field: AnyField, size: number): Uint8Array {
  const probe = Buffer.alloc(size)
  const seen = new Uint8Array(size)
  const empty = field.get(probe, 0)
  for (let at = 0; at < size; at++) {
    for (let mask = 0x80; mask !== 0; mask >>>= 1) {
      probe[at] = mask
      if (field.get(probe, 0) !== empty) seen[at]! |= mask
    }
    probe[at] = 0
  }
  return seen
}

/** The first reserved bit that is set, or undefined. Allocates only when there is one: this runs for every command. */
export function reservedBitSet(row: AnyCdb, buffer: Buffer, offset: number): FieldPointer | undefined {
  const { reserved, size } = row
  for (let at = 1; at < size; at++) {
    const bad = buffer[offset + at]! & reserved[at]!
    if (bad !== 0) return { in: 'cdb', byte: at, bit: 31 - Math.clz32(bad) }
  }
  return undefined
}

/** A 64-bit LBA as a number: exact up to 2^53, beyond that rounded but still beyond every capacity. For the hot path, where a bigint is dear. */
export function lba64(at: number): Field<number> {
  const high = u32(at)
  const low = u32(at + 4)
  return {
    at,
    length: 8,
    get: (buffer, offset) => high.get(buffer, offset) * 0x1_0000_0000 + low.get(buffer, offset),
    set: (buffer, offset, value) => {
      high.set(buffer, offset, Math.floor(value / 0x1_0000_0000))
      low.set(buffer, offset, value % 0x1_0000_0000)
    },
    fits: value => Number.isSafeInteger(value) && value >= 0,
  }
}

/** The 21-bit LBA of six-byte commands. */
export function lba21(at: number): Field<number> {
  return {
    at,
    length: 3,
    get: (buffer, offset) =>
      ((buffer[offset + at]! & 0x1f) << 16) | (buffer[offset + at + 1]! << 8) | buffer[offset + at + 2]!,
    set: (buffer, offset, value) => {
      buffer[offset + at] = (buffer[offset + at]! & 0xe0) | (value >>> 16)
      buffer[offset + at + 1] = value >>> 8
      buffer[offset + at + 2] = value
    },
    fits: value => Number.isInteger(value) && value >= 0 && value < 0x20_0000,
  }
}
