/**
 * File descriptors: duplicates and advisory locks. Left out: opening and closing, which `node:fs` does.
 */
import { readdirSync } from 'node:fs'
import { constants } from 'node:os'
import koffi from 'koffi'
import { lastError, libc } from './libc.js'

const fcntl = libc.func('int fcntl(int fd, int cmd, ...)')
const flock = libc.func('int flock(int fd, int operation)')

/** Linux: F_DUPFD_CLOEXEC, F_SETFD and FD_CLOEXEC, from <fcntl.h>; the plain F_DUPFD would leak the descriptor into child processes. */
const F_DUPFD_CLOEXEC = 1030
const F_SETFD = 2
const FD_CLOEXEC = 1
const STANDARD_ERROR = 2
const LOCK_EX = 2
const LOCK_NB = 4

/** A second descriptor for the same open file, close-on-exec. The caller closes it. Throws EBADF, EMFILE. */
export function dup(fd: number): number {
  const copy = fcntl(fd, F_DUPFD_CLOEXEC, 'int', 0) as number
  if (copy < 0) throw lastError('dup')
  return copy
}

/** Keeps all descriptors that are open now from processes that this one starts, but for the three standard ones and what they are given by name. Libraries open some that would go along. */
export function closeAllOnExec(): void {
  for (const fd of readdirSync('/proc/self/fd').map(Number)) {
    if (fd <= STANDARD_ERROR || (fcntl(fd, F_SETFD, 'int', FD_CLOEXEC) as number) === 0) continue
    // The folder's own is gone by now, and other threads close theirs.
    if (koffi.errno() !== constants.errno.EBADF) throw lastError('fcntl')
  }
}

/** Takes the exclusive lock of the open file without waiting; false when somebody else holds it. It ends with the descriptor. */
export function flockExclusive(fd: number): boolean {
  if ((flock(fd, LOCK_EX | LOCK_NB) as number) === 0) return true
  if (koffi.errno() === constants.errno.EWOULDBLOCK) return false
  throw lastError('flock')
}
