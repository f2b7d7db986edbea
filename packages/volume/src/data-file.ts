/**
 * A file of sectors, overlay or base: reads that never wait for a disk in the thread's own time, and writes.
 *
 * A read asks first for what is in memory (`readNow`). What is not is left to the thread pool (`readLater`), so that
 * one cold block does not stop a worker's other sessions. A file system that cannot tell (tmpfs: it is memory; a
 * network file system: it is not) is told apart by its kind, once for each file.
 * Writes go to the page cache, synchronously.
 */
import { closeSync, fstatSync, openSync, read, statfsSync } from 'node:fs'
import {
  fallocate,
  NO_WAIT_UNSUPPORTED,
  pread,
  preadNoWait,
  punchHole,
  pwrite,
  WOULD_WAIT,
  zeroRange,
} from '@scsipub/posix'
import type { Base } from './layer.js'
import { SECTOR_BYTES } from './sector-bits.js'
import { readFailure, VolumeError, writeFailure } from './volume-error.js'

/** f_type of file systems that live in memory: tmpfs and ramfs, from <linux/magic.h>. */
const IN_MEMORY = new Set([0x01021994, 0x858458f6])

/** EOPNOTSUPP, as the number is called; and what an old kernel says. */
const NOT_SUPPORTED = new Set<unknown>(['ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'])

/** Never written to. Larger than what may live in the heap of V8, so its address is fixed. */
const zeros = Buffer.alloc(64 * 1024)

const READ = { noWait: 0, plain: 1, pool: 2 } as const

export class DataFile implements Base {
  readonly path: string
  readonly sizeBytes: number
  readonly #fd: number
  #how: (typeof READ)[keyof typeof READ] = READ.noWait

  /** Opens the file. Throws system errors. */
  constructor(path: string, mode: 'r' | 'r+') {
    this.path = path
    this.#fd = openSync(path, mode)
    this.sizeBytes = fstatSync(this.#fd).size
  }

  close(): void {
    closeSync(this.#fd)
  }

  /** Fills the range if that needs no waiting; false when it does (the range may be half filled). Throws VolumeError. */
  readNow(position: number, target: Buffer, offset: number, length: number): boolean {
    const inside = position + length <= this.sizeBytes ? length : this.#clamp(position, target, offset, length)
    if (inside === 0) return true
    if (this.#how === READ.noWait) {
      const count = this.#call(preadNoWait, target, offset, inside, position)
      if (count === inside) return true
      if (count === NO_WAIT_UNSUPPORTED) this.#how = IN_MEMORY.has(statfsSync(this.path).type) ? READ.plain : READ.pool
      else if (count >= 0 || count === WOULD_WAIT) return false
    }
    if (this.#how === READ.pool) return false
    for (let done = 0; done < inside; ) {
      const count = this.#call(pread, target, offset + done, inside - done, position + done)
      if (count === 0) throw this.#truncated(position + done)
      done += count
    }
    return true
  }

  /** Fills the range, by way of the thread pool. Rejects with VolumeError. The file must stay open until then. */
  async readLater(position: number, target: Buffer, offset: number, length: number): Promise<void> {
    const inside = this.#clamp(position, target, offset, length)
    for (let done = 0; done < inside; ) {
      const count = await new Promise<number>((resolve, reject) => {
        read(this.#fd, target, offset + done, inside - done, position + done, (error, bytes) => {
          if (error) reject(readFailure(this.path, error))
          else resolve(bytes)
        })
      })
      if (count === 0) throw this.#truncated(position + done)
      done += count
    }
  }

  /** As an image: all that it has counts as data. */
  run(first: number, count: number): { count: number; mapped: boolean } {
    const inside = Math.ceil(this.sizeBytes / SECTOR_BYTES) - first
    return inside > 0 ? { count: Math.min(count, inside), mapped: true } : { count, mapped: false }
  }

  /** Writes the range to the page cache. Throws VolumeError; a part may have been written then. */
  write(position: number, source: Buffer, offset: number, length: number): void {
    for (let done = 0; done < length; ) {
      let count: number
      try {
        count = pwrite(this.#fd, source, offset + done, length - done, position + done)
      } catch (error) {
        throw writeFailure(this.path, error)
      }
      if (count === 0)
        throw new VolumeError('io-write', `cannot write ${this.path}: nothing was taken at ${position + done}`)
      done += count
    }
  }

  /** Has the file system set blocks aside for the range, so that a write there does not run out of space. Throws VolumeError. */
  reserve(position: number, length: number): void {
    try {
      fallocate(this.#fd, position, length)
    } catch (error) {
      throw writeFailure(this.path, error)
    }
  }

  /** Frees the blocks of the range, which then reads as zeros. Throws VolumeError. */
  punch(position: number, length: number): void {
    this.#zero(punchHole, position, length)
  }

  /** Makes the range zeros and keeps its blocks reserved. Throws VolumeError. */
  zero(position: number, length: number): void {
    this.#zero(zeroRange, position, length)
  }

  /** A file system that lacks the call gets zeros written: the same to whoever reads. */
  #zero(call: typeof punchHole, position: number, length: number): void {
    try {
      call(this.#fd, position, length)
    } catch (error) {
      if (!NOT_SUPPORTED.has((error as NodeJS.ErrnoException).code)) throw writeFailure(this.path, error)
      for (let done = 0; done < length; done += zeros.length)
        this.write(position + done, zeros, 0, Math.min(zeros.length, length - done))
    }
  }

  /** Zeroes what lies behind the end of the file and returns the number of bytes that lie before it. */
  #clamp(position: number, target: Buffer, offset: number, length: number): number {
    const inside = Math.min(length, Math.max(0, this.sizeBytes - position))
    if (inside < length) target.fill(0, offset + inside, offset + length)
    return inside
  }

  #call(call: typeof pread, target: Buffer, offset: number, length: number, position: number): number {
    try {
      return call(this.#fd, target, offset, length, position)
    } catch (error) {
      throw readFailure(this.path, error)
    }
  }

  #truncated(position: number): VolumeError {
    return new VolumeError(
      'io-read',
      `cannot read ${this.path}: it ends at ${position} and had ${this.sizeBytes} bytes when it was opened`,
    )
  }
}
