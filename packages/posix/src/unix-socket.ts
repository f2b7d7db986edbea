/**
 * What processes of one machine say to each other below `node:net`: descriptors that go with a message (SCM_RIGHTS), and datagrams to a
 * socket with a name.
 *
 *   pair of sockets (SOCK_SEQPACKET: a message arrives whole or not at all)
 *     sendDescriptors ──[ message │ up to 250 descriptors ]──▶ receiveDescriptors
 *
 * A descriptor in a message is a duplicate of the sender's, which may close its own as soon as the call has returned. The kernel takes 253
 * in one message, and no more on their way than the sender may have open.
 *
 * Nothing here waits: whoever receives has to know that there is something. Left out: credentials, streams.
 */
import { constants } from 'node:os'
import koffi from 'koffi'
import { lastError, libc } from './libc.js'

const socketCall = libc.func('int socket(int domain, int type, int protocol)')
const socketpair = libc.func('int socketpair(int domain, int type, int protocol, _Out_ int *fds)')
const bind = libc.func('int bind(int fd, const uint8_t *address, uint32_t addressLength)')
const closeCall = libc.func('int close(int fd)')
const sendto = libc.func(
  'int64_t sendto(int fd, const uint8_t *bytes, size_t length, int flags, const uint8_t *address, uint32_t addressLength)',
)
const sendmsg = libc.func('int64_t sendmsg(int fd, intptr_t message, int flags)')
const recvmsg = libc.func('int64_t recvmsg(int fd, intptr_t message, int flags)')
const dup3 = libc.func('int dup3(int from, int to, int flags)')

const AF_UNIX = 1
const SOCK_DGRAM = 2
const SOCK_SEQPACKET = 5
const SOCK_CLOEXEC = 0x80000
const SOL_SOCKET = 1
const SCM_RIGHTS = 1
const MSG_TRUNC = 0x20
const MSG_CTRUNC = 8
const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000
const MSG_CMSG_CLOEXEC = 0x40000000

/** The most descriptors that go with one message. */
export const MAX_DESCRIPTORS = 250
/** The most bytes of one message, which is about the descriptors and not their content. */
const MAX_MESSAGE_BYTES = 4096
/** Of a path in `sockaddr_un`. */
const MAX_PATH_BYTES = 107

/** struct msghdr and struct iovec as 64-bit Linux has them; the latter stands behind the former. */
const MSG_IOV = 16
const MSG_IOVLEN = 24
const MSG_CONTROL = 32
const MSG_CONTROLLEN = 40
const MSG_FLAGS = 48
const IOVEC = 56
/** struct cmsghdr: length, level, type; then the descriptors. */
const CMSG_LEVEL = 8
const CMSG_TYPE = 12
const CMSG_DATA = 16

/** Of one call after the other. Large ones lie outside of V8's heap, so that their address stays. */
const bytes = Buffer.allocUnsafeSlow(MAX_MESSAGE_BYTES)
const control = Buffer.allocUnsafeSlow(CMSG_DATA + align(MAX_DESCRIPTORS * 4))
const header = Buffer.allocUnsafeSlow(128)
const headerAddress = Number(koffi.address(header))

/** A pair of connected sockets, close-on-exec, which keeps the bounds of messages. The caller closes both. Throws EMFILE. */
export function socketPair(): [number, number] {
  const fds = [-1, -1]
  if ((socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) as number) !== 0) throw lastError('socketpair')
  return fds as [number, number]
}

/**
 * Sends 1 to `MAX_DESCRIPTORS` descriptors with a message of at least one byte. Throws EAGAIN when there is no room for it at the moment, EPIPE when the other
 * side is closed, ETOOMANYREFS when too many descriptors are on their way, EBADF.
 */
export function sendDescriptors(socket: number, fds: readonly number[], message: Uint8Array): void {
  if (fds.length < 1 || fds.length > MAX_DESCRIPTORS)
    throw new RangeError(`${fds.length} descriptors cannot go with one message: 1 to ${MAX_DESCRIPTORS} can`)
  if (message.length < 1 || message.length > MAX_MESSAGE_BYTES)
    throw new RangeError(`a message has 1 to ${MAX_MESSAGE_BYTES} bytes, not ${message.length}`)
  bytes.set(message)
  control.writeBigUInt64LE(BigInt(CMSG_DATA + fds.length * 4), 0)
  control.writeInt32LE(SOL_SOCKET, CMSG_LEVEL)
  control.writeInt32LE(SCM_RIGHTS, CMSG_TYPE)
  for (const [index, fd] of fds.entries()) control.writeInt32LE(fd, CMSG_DATA + index * 4)
  prepareHeader(message.length, CMSG_DATA + align(fds.length * 4))
  if ((sendmsg(socket, headerAddress, MSG_DONTWAIT | MSG_NOSIGNAL) as number) < 0) throw lastError('sendmsg')
}

/**
 * Takes the next message with its descriptors, which are close-on-exec and the caller's to close. undefined when there is none; a message of no bytes
 * when the other side is closed. Throws EMFILE when there is no room for the descriptors; then those that came are closed.
 */
export function receiveDescriptors(socket: number): { fds: number[]; message: Buffer } | undefined {
  prepareHeader(MAX_MESSAGE_BYTES, control.length)
  const count = recvmsg(socket, headerAddress, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) as number
  if (count < 0) {
    if (koffi.errno() === constants.errno.EAGAIN) return undefined
    throw lastError('recvmsg')
  }
  const fds = descriptorsOf(header.readUInt32LE(MSG_CONTROLLEN))
  if ((header.readInt32LE(MSG_FLAGS) & (MSG_CTRUNC | MSG_TRUNC)) !== 0) {
    for (const fd of fds) closeCall(fd)
    throw new Error('a message with descriptors did not arrive whole: there are too many open files')
  }
  return { fds, message: Buffer.from(bytes.subarray(0, count)) }
}

/** Makes `to` another name of the open file `from`, whatever it was before; it is inherited by child processes. Throws EBADF. */
export function replaceDescriptor(from: number, to: number): void {
  if ((dup3(from, to, 0) as number) < 0) throw lastError('dup3')
}

/**
 * Sends a datagram to the unix socket at `path`, or with the abstract name behind an `@`. Does not wait. Throws ECONNREFUSED and ENOENT when nobody is there,
 * EAGAIN when its queue is full, EMSGSIZE.
 */
export function sendDatagram(path: string, bytes: Uint8Array): void {
  const address = addressNamed(path)
  const socket = datagramSocket()
  try {
    const sent = sendto(socket, bytes, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL, address, address.length) as number
    if (sent < 0) throw lastError('sendto')
  } finally {
    closeCall(socket)
  }
}

/** A socket that receives datagrams by that name, see `sendDatagram`, for `receiveDescriptors`; the caller closes it. Throws EADDRINUSE, EACCES. */
export function receiverOfDatagrams(path: string): number {
  const address = addressNamed(path)
  const socket = datagramSocket()
  if ((bind(socket, address, address.length) as number) === 0) return socket
  const error = lastError('bind')
  closeCall(socket)
  throw error
}

function datagramSocket(): number {
  const socket = socketCall(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) as number
  if (socket < 0) throw lastError('socket')
  return socket
}

/** struct sockaddr_un of a path, which ends with a NUL, or of an abstract name, which begins with one and ends with the structure. */
function addressNamed(path: string): Buffer {
  const name = Buffer.from(path)
  if (name.length === 0 || name.length > MAX_PATH_BYTES)
    throw new RangeError(`"${path}" is no path of a socket: it has 1 to ${MAX_PATH_BYTES} bytes`)
  const isAbstract = path.startsWith('@')
  if (isAbstract) name[0] = 0
  const address = Buffer.alloc(2 + name.length + (isAbstract ? 0 : 1))
  address.writeUInt16LE(AF_UNIX, 0)
  name.copy(address, 2)
  return address
}

function descriptorsOf(length: number): number[] {
  const fds: number[] = []
  for (let at = 0; at + CMSG_DATA <= length; ) {
    const end = at + control.readUInt32LE(at)
    if (control.readInt32LE(at + CMSG_LEVEL) === SOL_SOCKET && control.readInt32LE(at + CMSG_TYPE) === SCM_RIGHTS)
      for (let fd = at + CMSG_DATA; fd + 4 <= Math.min(end, length); fd += 4) fds.push(control.readInt32LE(fd))
    at += Math.max(align(end - at), CMSG_DATA)
  }
  return fds
}

function prepareHeader(length: number, controlLength: number): void {
  header.fill(0)
  header.writeBigInt64LE(koffi.address(header) + BigInt(IOVEC), MSG_IOV)
  header.writeUInt32LE(1, MSG_IOVLEN)
  header.writeBigInt64LE(koffi.address(control), MSG_CONTROL)
  header.writeUInt32LE(controlLength, MSG_CONTROLLEN)
  header.writeBigInt64LE(koffi.address(bytes), IOVEC)
  header.writeUInt32LE(length, IOVEC + 8)
}

function align(bytes: number): number {
  return (bytes + 7) & ~7
}
