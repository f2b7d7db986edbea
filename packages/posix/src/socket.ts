/**
 * What `node:net` cannot do to a socket of which another thread holds a duplicate: end it for both. Closing our own
 * descriptor would leave the other one talking.
 */
import { constants } from 'node:os'
import koffi from 'koffi'
import { lastError, libc } from './libc.js'

const shutdownCall = libc.func('int shutdown(int fd, int how)')

const SHUT_RDWR = 2

/** Ends both directions of a connection, for every duplicate of the descriptor. One that has ended already is no error. */
export function shutdown(fd: number): void {
  if ((shutdownCall(fd, SHUT_RDWR) as number) === 0 || koffi.errno() === constants.errno.ENOTCONN) return
  throw lastError('shutdown')
}
