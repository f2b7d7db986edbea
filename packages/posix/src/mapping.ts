/**
 * A file mapped into memory and shared with all who map it: threads of this process and other processes.
 *
 * The danger: JavaScript cannot know that an address is gone. A typed array over memory that is unmapped kills the
 * process with SIGSEGV when it is touched, and one behind the end of a truncated or unallocated file with SIGBUS. So:
 * take `words()` from the mapping each time or drop every copy before `unmap()`, never truncate a mapped file, and
 * allocate its blocks (`fallocate`) before it is mapped.
 *
 * A mapping belongs to the process, not to the thread: a worker that is terminated leaves its mappings behind, unless it writes them down (`registerMappings`) and somebody
 * ends them (`unmapAll`).
 */
import koffi from 'koffi'
import { lastError, libc } from './libc.js'
import { MappingRegistry } from './mapping-registry.js'

const mmap = libc.func(
  'intptr_t mmap(intptr_t address, size_t length, int protection, int flags, int fd, int64_t offset)',
)
const munmap = libc.func('int munmap(intptr_t address, size_t length)')
const msync = libc.func('int msync(intptr_t address, size_t length, int flags)')

const PROT_READ = 1
const PROT_WRITE = 2
const MAP_SHARED = 1
const MS_SYNC = 4

/** More than that, and Node ends the process instead of making an array of it. */
const MAX_VIEW_BYTES = 2 ** 32

let registry: MappingRegistry | undefined

/** From now on this thread writes its mappings down there: in memory that `MappingRegistry` has made. */
export function registerMappings(shared: SharedArrayBuffer): void {
  registry = new MappingRegistry(shared)
}

/** Ends all mappings that a thread has left that is no more. Returns how many. */
export function unmapAll(left: MappingRegistry): number {
  const mappings = left.takeAll()
  for (const { address, lengthBytes } of mappings) munmap(address, lengthBytes)
  return mappings.length
}

export class SharedMapping {
  /** All of it, unless that is too much for one array. */
  #whole: Int32Array | undefined
  #address: number
  readonly #lengthBytes: number
  readonly #place: number | undefined

  /** Use `mmapShared`. */
  constructor(address: number, lengthBytes: number) {
    this.#address = address
    this.#lengthBytes = lengthBytes
    this.#place = registry?.add(address, lengthBytes)
    if (lengthBytes <= MAX_VIEW_BYTES) this.#whole = view(address, lengthBytes)
  }

  /**
   * `lengthBytes` of the mapped bytes from `offsetBytes` (multiples of 4), all unless told, as 32-bit words; an empty array after `unmap()`. Throws RangeError when that is outside of the mapping, or more than 4 GiB.
   */
  words(offsetBytes = 0, lengthBytes = this.#lengthBytes - offsetBytes): Int32Array {
    if (this.#address === 0) return new Int32Array(0)
    const fits = offsetBytes >= 0 && lengthBytes >= 0 && offsetBytes + lengthBytes <= this.#lengthBytes
    if (!fits || lengthBytes > MAX_VIEW_BYTES || offsetBytes % 4 !== 0 || lengthBytes % 4 !== 0)
      throw new RangeError(`${lengthBytes} bytes from ${offsetBytes} are no words of a mapping of ${this.#lengthBytes}`)
    return (
      this.#whole?.subarray(offsetBytes / 4, (offsetBytes + lengthBytes) / 4) ??
      view(this.#address + offsetBytes, lengthBytes)
    )
  }

  /** Writes the changed pages to the file's storage and waits for it. Throws EIO, ENOSPC. */
  sync(): void {
    if (this.#address === 0) return
    if ((msync(this.#address, this.#lengthBytes, MS_SYNC) as number) !== 0) throw lastError('msync')
  }

  /** Ends the mapping; a second call does nothing. Every array taken from it is deadly from now on. */
  unmap(): void {
    if (this.#address === 0) return
    const address = this.#address
    this.#address = 0
    this.#whole = undefined
    if (this.#place !== undefined) registry?.remove(this.#place)
    if ((munmap(address, this.#lengthBytes) as number) !== 0) throw lastError('munmap')
  }
}

function view(address: number, lengthBytes: number): Int32Array {
  return new Int32Array(koffi.view(BigInt(address), lengthBytes))
}

/**
 * Maps the first `lengthBytes` of an open file (a multiple of 4), readable and, unless `writable` is false, writable: a store into one that is
 * not kills the process. The descriptor may be closed afterwards. Throws EACCES, ENOMEM, ENODEV.
 */
export function mmapShared(fd: number, lengthBytes: number, writable = true): SharedMapping {
  if (!Number.isSafeInteger(lengthBytes) || lengthBytes <= 0 || lengthBytes % 4 !== 0) {
    throw new RangeError(`cannot map ${lengthBytes} bytes: the length must be a positive multiple of 4`)
  }
  const address = mmap(0, lengthBytes, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0) as number
  if (address === -1) throw lastError('mmap')
  return new SharedMapping(address, lengthBytes)
}
