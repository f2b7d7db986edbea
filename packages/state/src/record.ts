/**
 * How a record is stored, in both stores alike:
 *
 *     version SP expiry SP json        version, expiry: decimal; expiry in milliseconds since 1970, 0 for none
 *
 * and which ids and values are taken. Bytes that say anything else are a damaged record, whatever happened to them.
 *
 * Left out: a checksum. A record that an operator mended by hand is as good as any; its owner validates it.
 */
import type { StateRecord } from './store.js'

/** The version of the stored form, part of every key in Redis and a record of its own in lmdb. */
export const FORMAT = 1

const MAX_ID_LENGTH = 255
const MAX_VALUE_BYTES = 1024 * 1024
/** The version by which a record is removed that does not even have one. */
const NO_VERSION = -1

const HEAD = /^([1-9][0-9]{0,15}) (0|[1-9][0-9]{0,15}) /
const utf8 = new TextDecoder('utf-8', { fatal: true })

/** Version and expiry at the head of a stored record; nothing when they cannot be read. */
export interface Head {
  readonly version: number
  readonly expiresMs: number
  /** Characters before the JSON. */
  readonly length: number
}

/** Reads the head of a stored record. */
export function readHead(text: string): Head | undefined {
  const match = HEAD.exec(text)
  if (!match) return undefined
  const [head, version, expiresMs] = match
  if (Number(version) > Number.MAX_SAFE_INTEGER) return undefined
  return { version: Number(version), expiresMs: Number(expiresMs), length: head.length }
}

/** The version that a stored record is compared by, damaged or not. */
export function versionOf(bytes: Uint8Array): number {
  return readHead(latin1(bytes))?.version ?? NO_VERSION
}

/** When a stored record is to go, in milliseconds since 1970; 0 when it stays, or cannot be read. */
export function expiryOf(bytes: Uint8Array): number {
  return readHead(latin1(bytes))?.expiresMs ?? 0
}

/** The stored form of a record. */
export function encodeRecord(version: number, expiresMs: number, json: string): string {
  return `${version} ${expiresMs} ${json}`
}

/** Reads a stored record; what cannot be read is `Damaged`. */
export function decodeRecord(id: string, bytes: Uint8Array): StateRecord {
  const damaged = (version: number, text: string) => ({ id, version, damaged: text })
  let text: string
  try {
    text = utf8.decode(bytes)
  } catch {
    return damaged(versionOf(bytes), 'it is not UTF-8')
  }
  const head = readHead(text)
  if (!head) return damaged(NO_VERSION, 'it does not begin with a version and an expiry')
  try {
    return { id, version: head.version, value: JSON.parse(text.slice(head.length)) as unknown }
  } catch {
    return damaged(head.version, 'it is not JSON')
  }
}

/** The JSON of a value; RangeError when it has none or is too long. */
export function encodeValue(value: unknown): string {
  const json: string | undefined = JSON.stringify(value)
  if (json === undefined) throw new RangeError(`a ${typeof value} cannot be stored`)
  if (Buffer.byteLength(json) > MAX_VALUE_BYTES) throw new RangeError(`a record has at most ${MAX_VALUE_BYTES} bytes`)
  return json
}

/** RangeError unless the id is 1 to 255 characters of printable ASCII without a space. */
export function checkId(id: string): void {
  if (!/^[\x21-\x7e]+$/.test(id) || id.length > MAX_ID_LENGTH)
    throw new RangeError(`${JSON.stringify(id)} is no id: 1 to ${MAX_ID_LENGTH} printable ASCII characters, no space`)
}

/** RangeError unless the time to live is a whole number of milliseconds. */
export function checkTtl(ttlMs: number | undefined): void {
  if (ttlMs !== undefined && !(Number.isSafeInteger(ttlMs) && ttlMs >= 1 && ttlMs <= 1e13))
    throw new RangeError(`${ttlMs} is no time to live in milliseconds`)
}

/** Enough of the bytes to read a head from. */
function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 40)).toString('latin1')
}
