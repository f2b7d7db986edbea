/**
 * Reads and writes at a position, without Node's `fs` between: half the overhead, and a read that says "not in memory"
 * instead of waiting for the disk (preadv2 with RWF_NOWAIT).
 *
 * The calls take a native address, which is cached for each ArrayBuffer: the memory behind one does not move. Views
 * below 65 bytes may live in V8's heap and do move, so they are refused.
 */
import { constants } from 'node:os'
import koffi from 'koffi'
import { lastError, libc } from './libc.js'

const preadCall = libc.func('int64_t pread64(int fd, intptr_t buffer, size_t length, int64_t position)')
const pwriteCall = libc.func('int64_t pwrite64(int fd, intptr_t buffer, size_t length, int64_t position)')
const preadv2Call = libc.func('int64_t preadv2(int fd, intptr_t vector, int count, int64_t position, int flags)')

const RWF_NOWAIT = 8
/** Lengths above this are cut; Linux itself does not move more in one call. */
const MAX_LENGTH = 0x7ffff000
const SMALLEST_FIXED_BYTES = 65

/** `preadNoWait`: nothing of the range is in memory. */
export const WOULD_WAIT = -1
/** `preadNoWait`: this file system or kernel cannot tell. */
export const NO_WAIT_UNSUPPORTED = -2

const { EAGAIN, EOPNOTSUPP, ENOSYS, EINTR } = constants.errno
const addresses = new WeakMap<ArrayBufferLike, number>()
let lastBuffer: ArrayBufferLike | undefined
let lastAddress = 0

const vector = Buffer.allocUnsafeSlow(Math.max(SMALLEST_FIXED_BYTES, 128))
const vectorWords = new Uint32Array(vector.buffer, vector.byteOffset, 4)
const vectorAddress = baseAddress(vector) + vector.byteOffset

function baseAddress(view: Uint8Array): number {
  const known = addresses.get(view.buffer)
  if (known !== undefined) return known
  const address = Number(koffi.address(view)) - view.byteOffset
  addresses.set(view.buffer, address)
  return address
}

/** The address of byte `offset`, after a check that `length` bytes from there are inside the view. */
function addressIn(view: Uint8Array, offset: number, length: number): number {
  if (!(offset >= 0 && length >= 0 && offset + length <= view.length)) {
    throw new RangeError(`${length} bytes from ${offset} are outside a buffer of ${view.length} bytes`)
  }
  const buffer = view.buffer
  if (buffer !== lastBuffer) {
    if (buffer.byteLength < SMALLEST_FIXED_BYTES)
      throw new RangeError('the buffer is too small to have a fixed address')
    lastAddress = baseAddress(view)
    lastBuffer = buffer
  }
  return lastAddress + view.byteOffset + offset
}

/** Reads up to `length` bytes of the file from `position`; returns how many, 0 at the end of the file. Throws EIO, EBADF. */
export function pread(fd: number, target: Uint8Array, offset: number, length: number, position: number): number {
  const address = addressIn(target, offset, length)
  for (;;) {
    const count = preadCall(fd, address, Math.min(length, MAX_LENGTH), position) as number
    if (count >= 0) return count
    if (koffi.errno() !== EINTR) throw lastError('pread')
  }
}

/** Writes up to `length` bytes to the file at `position`; returns how many. Throws ENOSPC, EDQUOT, EIO, EFBIG, EBADF. */
export function pwrite(fd: number, source: Uint8Array, offset: number, length: number, position: number): number {
  const address = addressIn(source, offset, length)
  for (;;) {
    const count = pwriteCall(fd, address, Math.min(length, MAX_LENGTH), position) as number
    if (count >= 0) return count
    if (koffi.errno() !== EINTR) throw lastError('pwrite')
  }
}

/**
 * Reads what is in memory: up to `length` bytes from `position`. Returns how many (fewer than asked when the rest is not
 * in memory or behind the end of the file), `WOULD_WAIT` or `NO_WAIT_UNSUPPORTED`. Throws EIO, EBADF.
 */
export function preadNoWait(fd: number, target: Uint8Array, offset: number, length: number, position: number): number {
  const address = addressIn(target, offset, length)
  const cut = Math.min(length, MAX_LENGTH)
  vectorWords[0] = address >>> 0
  vectorWords[1] = address / 0x1_0000_0000
  vectorWords[2] = cut
  vectorWords[3] = 0
  const count = preadv2Call(fd, vectorAddress, 1, position, RWF_NOWAIT) as number
  if (count >= 0) return count
  const errno = koffi.errno()
  if (errno === EAGAIN || errno === EINTR) return WOULD_WAIT
  if (errno === EOPNOTSUPP || errno === ENOSYS) return NO_WAIT_UNSUPPORTED
  throw lastError('preadv2')
}
