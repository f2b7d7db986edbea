export { closeAllOnExec, dup, flockExclusive } from './descriptor.js'
export { SystemCallError } from './libc.js'
export { mmapShared, registerMappings, SharedMapping, unmapAll } from './mapping.js'
export { MappingRegistry } from './mapping-registry.js'
export { NO_WAIT_UNSUPPORTED, pread, preadNoWait, pwrite, WOULD_WAIT } from './positioned-io.js'
export { bytesRead, shutdown } from './socket.js'
export { fallocate, punchHole, zeroRange } from './space.js'
export {
  MAX_DESCRIPTORS,
  receiveDescriptors,
  receiverOfDatagrams,
  replaceDescriptor,
  sendDatagram,
  sendDescriptors,
  socketPair,
} from './unix-socket.js'
