// A wire structure declared once: its size and its fields. Decoder, encoder and single accessors come from the table,
// and so does the type of the decoded value, so that no offset is written twice.
//
// Left out: structures of variable length. What follows the fixed part is the business of whoever knows its length.

import type { AnyField, Field } from './field.js'

/** The fields of a layout by name. */
export type Fields = Readonly<Record<string, AnyField>>

type ValueOf<F> = F extends Field<infer T> ? T : never

/** What `decode` of a layout with these fields returns. */
export type DecodedFields<F extends Fields> = { -readonly [Name in keyof F]: ValueOf<F[Name]> }

export interface Layout<F extends Fields> {
  /** Length of the structure in bytes. */
  readonly size: number
  readonly fields: F
  /**
   * All fields as an object. Byte fields are views into `buffer`.
   * @throws RangeError when fewer than `size` bytes lie behind `offset`: whoever calls must have counted them.
   */
  decode(buffer: Buffer, offset?: number): DecodedFields<F>
  /**
   * Writes the structure; what is not named is zero. Without `buffer` a fresh one of `size` bytes is returned,
   * else `buffer` itself, in which `size` bytes from `offset` were replaced.
   * @throws RangeError for a value that does not fit its field, or when the structure does not fit the buffer.
   */
  encode(value: Partial<DecodedFields<F>>, buffer?: Buffer, offset?: number): Buffer
  /** One reader per field, without bounds check, for the hot path. */
  readonly get: { readonly [Name in keyof F]: (buffer: Buffer, offset: number) => ValueOf<F[Name]> }
  /** One writer per field, without bounds or range check: the value is cut to the width of the field. */
  readonly set: { readonly [Name in keyof F]: (buffer: Buffer, offset: number, value: ValueOf<F[Name]>) => void }
}

/** The decoded form of a layout: `type R2t = Decoded<typeof r2t>`. */
export type Decoded<L> = L extends Layout<infer F> ? DecodedFields<F> : never

/** One field seen without its type; the table above is what keeps names and types together. */
interface LooseField {
  readonly get: (buffer: Buffer, offset: number) => unknown
  readonly set: (buffer: Buffer, offset: number, value: unknown) => void
  readonly fits: (value: unknown) => boolean
}

/**
 * Declares a structure of `size` bytes.
 * @throws RangeError when a field reaches beyond the structure (a mistake in the table, seen at start-up).
 */
export function layout<const F extends Fields>(size: number, fields: F): Layout<F> {
  const rows: [string, LooseField][] = []
  const get: Record<string, unknown> = {}
  const set: Record<string, unknown> = {}
  for (const [name, field] of Object.entries(fields)) {
    if (field.at < 0 || field.at + field.length > size)
      throw new RangeError(`field ${name} is outside of ${size} bytes`)
    rows.push([name, field as unknown as LooseField])
    get[name] = field.get
    set[name] = field.set
  }

  const requireRoom = (buffer: Buffer, offset: number): void => {
    if (offset < 0 || offset + size > buffer.length) {
      throw new RangeError(`${size} bytes at ${offset} are outside of a buffer of ${buffer.length}`)
    }
  }

  return {
    size,
    fields,
    get: get as Layout<F>['get'],
    set: set as Layout<F>['set'],

    decode(buffer, offset = 0) {
      requireRoom(buffer, offset)
      const value: Record<string, unknown> = {}
      for (const [name, field] of rows) value[name] = field.get(buffer, offset)
      return value as DecodedFields<F>
    },

    encode(value, buffer = Buffer.allocUnsafe(size), offset = 0) {
      requireRoom(buffer, offset)
      buffer.fill(0, offset, offset + size)
      const given = value as Record<string, unknown>
      for (const [name, field] of rows) {
        const one = given[name]
        if (one === undefined) continue
        if (!field.fits(one)) throw new RangeError(`${String(one)} does not fit the field ${name}`)
        field.set(buffer, offset, one)
      }
      return buffer
    },
  }
}
