/**
 * The C library, as far as Node does not wrap it, and the one way in which a failed call becomes an exception.
 *
 * Symbols are looked up in the running process, which has its C library loaded already, so glibc and musl both do.
 * Left out: everything that `node:fs` does as well.
 */
import { getSystemErrorMap } from 'node:util'
import koffi from 'koffi'

export const libc = koffi.load(null)

/** A failed system call. `code` is the name of the error ('ENOSPC'), `errno` its positive number. */
export class SystemCallError extends Error {
  readonly code: string
  readonly errno: number
  readonly syscall: string

  constructor(syscall: string, errno: number) {
    const [code, text] = getSystemErrorMap().get(-errno) ?? [`E${errno}`, 'unknown error']
    super(`${code}: ${text}, ${syscall}`)
    this.name = 'SystemCallError'
    this.code = code
    this.errno = errno
    this.syscall = syscall
  }
}

/** The error of the call that has just failed. Nothing may come between: any other native call may overwrite errno. */
export function lastError(syscall: string): SystemCallError {
  return new SystemCallError(syscall, koffi.errno())
}
