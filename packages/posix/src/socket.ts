/**
 * What `node:net` cannot do to a socket of which another thread holds a duplicate: end it for both, since closing our own
 * descriptor would leave the other one talking; and say how much of what the peer has sent was read by whichever of them.
 */
import { constants } from 'node:os'
import koffi from 'koffi'
import { lastError, libc } from './libc.js'

const getsockopt = libc.func('int getsockopt(int fd, int level, int name, intptr_t value, intptr_t length)')
const ioctl = libc.func('int ioctl(int fd, unsigned long request, ...)')
const shutdownCall = libc.func('int shutdown(int fd, int how)')

const SHUT_RDWR = 2
// Linux: <netinet/tcp.h>, <asm/ioctls.h>.
const IPPROTO_TCP = 6
const TCP_INFO = 11
const FIONREAD = 0x541b
/** `tcpi_bytes_received` of `struct tcp_info`: since Linux 4.1. */
const BYTES_RECEIVED_AT = 128
const TCP_INFO_BYTES = 256

/** Out of V8's heap, so that its address is fixed: TCP_INFO, then its length, then a count. */
const memory = Buffer.allocUnsafeSlow(2 * TCP_INFO_BYTES)
const words = new Uint32Array(memory.buffer, TCP_INFO_BYTES, 2)
const address = Number(koffi.address(memory))
const lengthAddress = address + TCP_INFO_BYTES
const countAddress = lengthAddress + 4

/** Ends both directions of a connection, for every duplicate of the descriptor. One that has ended already is no error. */
export function shutdown(fd: number): void {
  if ((shutdownCall(fd, SHUT_RDWR) as number) === 0 || koffi.errno() === constants.errno.ENOTCONN) return
  throw lastError('shutdown')
}

/**
 * Bytes that have been read from a TCP connection since it began, by any duplicate of the descriptor and any thread: what has arrived in order less what waits to be
 * read. Undefined when the kernel does not say. To be asked while nobody reads.
 */
export function bytesRead(fd: number): number | undefined {
  for (;;) {
    const before = bytesReceived(fd)
    if (before === undefined || (ioctl(fd, FIONREAD, 'intptr_t', countAddress) as number) !== 0) return undefined
    const waiting = words[1]!
    // What arrives between the two calls would be counted in one of them only.
    if (bytesReceived(fd) === before) return before - waiting
  }
}

function bytesReceived(fd: number): number | undefined {
  words[0] = TCP_INFO_BYTES
  if ((getsockopt(fd, IPPROTO_TCP, TCP_INFO, address, lengthAddress) as number) !== 0) return undefined
  return words[0]! < BYTES_RECEIVED_AT + 8 ? undefined : Number(memory.readBigUInt64LE(BYTES_RECEIVED_AT))
}
