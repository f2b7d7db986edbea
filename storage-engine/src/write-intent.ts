/**
 * The intent of one atomic write, in a file beside the overlay: what is going to be written where. It is durable before the overlay is touched and
 * cleared when the overlay is durable, so a write that was interrupted between is finished at the next opening. An intent
 * that is not whole was interrupted before the overlay was touched, and counts for nothing. Without an intent the file is empty: no data of the
 * initiator's stays in it.
 *
 *   bytes 0..4095   header
 *        0   8      magic
 *        8   4      version
 *       12   4      bytes of data
 *       16   8      position in the volume
 *       24  32      SHA-256 of bytes 0..23 and the data
 *   bytes 4096..    data
 */
import { createHash } from 'node:crypto'
import { closeSync, existsSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { syncDirectory } from './data-directory.js'
import type { Sync } from './sync.js'

const MAGIC = 'scsipubA'
const VERSION = 1
const DIGEST_AT = 24
const HEADER_USED_BYTES = 56
const DATA_AT = 4096

export interface Intent {
  readonly position: number
  readonly data: Buffer
}

export class WriteIntent {
  readonly #path: string
  readonly #sync: Sync
  #fd: number | undefined

  constructor(path: string, sync: Sync) {
    this.#path = path
    this.#sync = sync
  }

  /**
   * The intent of a write that was interrupted. Rejects with system errors, and for a whole intent of another version. What is found is durable, also that
   * there is none: a killed server may have left it, or have cleared it, in memory only.
   */
  async pending(): Promise<Intent | undefined> {
    if (!existsSync(this.#path)) return undefined
    const fd = this.#open()
    await this.#sync(fd)
    const header = Buffer.alloc(HEADER_USED_BYTES)
    if (readSync(fd, header, 0, header.length, 0) !== header.length) return undefined
    if (header.toString('latin1', 0, 8) !== MAGIC) return undefined
    const lengthBytes = header.readUInt32LE(12)
    if (DATA_AT + lengthBytes > fstatSync(fd).size) return undefined
    const data = Buffer.alloc(lengthBytes)
    readSync(fd, data, 0, lengthBytes, DATA_AT)
    if (!digest(header, data).equals(header.subarray(DIGEST_AT, HEADER_USED_BYTES))) return undefined
    const version = header.readUInt32LE(8)
    if (version !== VERSION) throw new Error(`${this.#path} has the unknown version ${version}`)
    return { position: Number(header.readBigUInt64LE(16)), data }
  }

  /** Makes the intent durable. Rejects with system errors; `clear` has to follow then too. */
  async record(position: number, data: Uint8Array): Promise<void> {
    const fd = this.#open()
    const header = Buffer.alloc(HEADER_USED_BYTES)
    header.write(MAGIC, 0, 'latin1')
    header.writeUInt32LE(VERSION, 8)
    header.writeUInt32LE(data.length, 12)
    header.writeBigUInt64LE(BigInt(position), 16)
    digest(header, data).copy(header, DIGEST_AT)
    writeAll(fd, data, DATA_AT)
    writeAll(fd, header, 0)
    await this.#sync(fd)
  }

  /** Makes it durable that there is no intent. Rejects with system errors: then the intent may come back after a power cut. */
  async clear(): Promise<void> {
    const fd = this.#open()
    ftruncateSync(fd, 0)
    await this.#sync(fd)
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
    this.#fd = undefined
  }

  /** Opens the file; the first time of all it is made, with its name durable. */
  #open(): number {
    if (this.#fd !== undefined) return this.#fd
    const made = !existsSync(this.#path)
    this.#fd = openSync(this.#path, made ? 'wx+' : 'r+', 0o600)
    if (made) syncDirectory(dirname(this.#path))
    return this.#fd
  }
}

function digest(header: Buffer, data: Uint8Array): Buffer {
  return createHash('sha256').update(header.subarray(0, DIGEST_AT)).update(data).digest()
}

function writeAll(fd: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, position + done)
}
