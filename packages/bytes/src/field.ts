// Fields of a wire layout: where a value lies in a structure and how its bytes are read and written.
//
// Each maker returns a pair of small closures that do plain index arithmetic, so that the single accessors of a layout
// can stand on the hot path. Everything is big-endian, as iSCSI and SCSI are. The accessors check nothing: ranges and
// bounds are looked at by the layout (layout.ts), once per structure. Little-endian fields are left out on purpose.

/** One value at a fixed place. `at` and `length` are bytes; `fits` tells whether a value can be written unchanged. */
export interface Field<T> {
  readonly at: number
  readonly length: number
  readonly get: (buffer: Buffer, offset: number) => T
  readonly set: (buffer: Buffer, offset: number, value: T) => void
  readonly fits: (value: T) => boolean
}

/** Every kind of field a layout takes. */
export type AnyField = Field<number> | Field<bigint> | Field<boolean> | Field<Buffer>

const unsigned = (value: number, limit: number): boolean => Number.isInteger(value) && value >= 0 && value <= limit

/** An unsigned 8-bit number at byte `at`. */
export function u8(at: number): Field<number> {
  return {
    at,
    length: 1,
    get: (buffer, offset) => buffer[offset + at]!,
    set: (buffer, offset, value) => {
      buffer[offset + at] = value
    },
    fits: value => unsigned(value, 0xff),
  }
}

/** An unsigned 16-bit number, most significant byte first. */
export function u16(at: number): Field<number> {
  return {
    at,
    length: 2,
    get: (buffer, offset) => (buffer[offset + at]! << 8) | buffer[offset + at + 1]!,
    set: (buffer, offset, value) => {
      buffer[offset + at] = value >>> 8
      buffer[offset + at + 1] = value
    },
    fits: value => unsigned(value, 0xffff),
  }
}

/** An unsigned 24-bit number, most significant byte first. */
export function u24(at: number): Field<number> {
  return {
    at,
    length: 3,
    get: (buffer, offset) => (buffer[offset + at]! << 16) | (buffer[offset + at + 1]! << 8) | buffer[offset + at + 2]!,
    set: (buffer, offset, value) => {
      buffer[offset + at] = value >>> 16
      buffer[offset + at + 1] = value >>> 8
      buffer[offset + at + 2] = value
    },
    fits: value => unsigned(value, 0xffffff),
  }
}

/** An unsigned 32-bit number, most significant byte first. */
export function u32(at: number): Field<number> {
  return {
    at,
    length: 4,
    get: (buffer, offset) => readU32(buffer, offset + at),
    set: (buffer, offset, value) => {
      writeU32(buffer, offset + at, value)
    },
    fits: value => unsigned(value, 0xffffffff),
  }
}

/** An unsigned 64-bit number as a bigint, most significant byte first. */
export function u64(at: number): Field<bigint> {
  return {
    at,
    length: 8,
    get: (buffer, offset) => (BigInt(readU32(buffer, offset + at)) << 32n) | BigInt(readU32(buffer, offset + at + 4)),
    set: (buffer, offset, value) => {
      writeU32(buffer, offset + at, Number((value >> 32n) & 0xffffffffn))
      writeU32(buffer, offset + at + 4, Number(value & 0xffffffffn))
    },
    fits: value => value >= 0n && value <= 0xffffffffffffffffn,
  }
}

/**
 * `length` raw bytes. Reading gives a view into the structure, not a copy: copy it before the buffer is used again.
 * Writing takes at most `length` bytes; a shorter value leaves the rest of the field as it is (zero in `encode`).
 */
export function bytes(at: number, length: number): Field<Buffer> {
  return {
    at,
    length,
    get: (buffer, offset) => buffer.subarray(offset + at, offset + at + length),
    set: (buffer, offset, value) => {
      value.copy(buffer, offset + at, 0, length)
    },
    fits: value => value.length <= length,
  }
}

/** One bit as a boolean; bit 7 is the most significant, as in the drawings of T10 (RFC drawings count the other way). */
export function bit(at: number, bitIndex: number): Field<boolean> {
  if (bitIndex < 0 || bitIndex > 7) throw new RangeError(`bit ${bitIndex} is not in a byte`)
  const mask = 1 << bitIndex
  return {
    at,
    length: 1,
    get: (buffer, offset) => (buffer[offset + at]! & mask) !== 0,
    set: (buffer, offset, value) => {
      const old = buffer[offset + at]!
      buffer[offset + at] = value ? old | mask : old & ~mask
    },
    fits: () => true,
  }
}

/** `width` bits inside one byte as a number; `lowBit` is the position of its least significant bit (0 to 7). */
export function bits(at: number, lowBit: number, width: number): Field<number> {
  if (lowBit < 0 || width < 1 || lowBit + width > 8)
    throw new RangeError(`${width} bits from ${lowBit} are not in a byte`)
  const limit = (1 << width) - 1
  const mask = limit << lowBit
  return {
    at,
    length: 1,
    get: (buffer, offset) => (buffer[offset + at]! >>> lowBit) & limit,
    set: (buffer, offset, value) => {
      buffer[offset + at] = (buffer[offset + at]! & ~mask) | ((value << lowBit) & mask)
    },
    fits: value => unsigned(value, limit),
  }
}

function readU32(buffer: Buffer, index: number): number {
  return ((buffer[index]! << 24) | (buffer[index + 1]! << 16) | (buffer[index + 2]! << 8) | buffer[index + 3]!) >>> 0
}

function writeU32(buffer: Buffer, index: number, value: number): void {
  buffer[index] = value >>> 24
  buffer[index + 1] = value >>> 16
  buffer[index + 2] = value >>> 8
  buffer[index + 3] = value
}
