/**
 * The blocks behind a file: reserving them and giving them back.
 */
import { lastError, libc } from './libc.js'

const fallocateCall = libc.func('int fallocate(int fd, int mode, int64_t offset, int64_t length)')

const FALLOC_FL_KEEP_SIZE = 1
const FALLOC_FL_PUNCH_HOLE = 2
const FALLOC_FL_ZERO_RANGE = 16

/** Reserves blocks for `length` bytes from `offset` and extends the file to them. Throws ENOSPC, EDQUOT, EOPNOTSUPP, EFBIG. */
export function fallocate(fd: number, offset: number, length: number): void {
  if ((fallocateCall(fd, 0, offset, length) as number) !== 0) throw lastError('fallocate')
}

/** Frees the blocks of `length` bytes from `offset`; they read as zeros then, and the size stays. Throws EOPNOTSUPP, EIO. */
export function punchHole(fd: number, offset: number, length: number): void {
  const mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
  if ((fallocateCall(fd, mode, offset, length) as number) !== 0) throw lastError('fallocate')
}

/**
 * Makes `length` bytes from `offset` read as zeros and keeps blocks reserved for them; the size stays. Throws ENOSPC, EDQUOT, EIO, and
 * ENOTSUP where the file system cannot (tmpfs).
 */
export function zeroRange(fd: number, offset: number, length: number): void {
  const mode = FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE
  if ((fallocateCall(fd, mode, offset, length) as number) !== 0) throw lastError('fallocate')
}
