// Calls of the C library that change files, recorded with the memory that they were given; the others pass. One that is not in the lists throws.

import koffi from 'koffi'
import type { Recorded } from './recorded.js'

export type LibraryCall = (...args: number[]) => number

/** Calls that change no file. */
const HARMLESS = new Set(['pread64', 'preadv2', 'fcntl', 'flock', 'shutdown', 'socketpair'])

const ALLOCATE = 0
const PUNCH_HOLE = 3
const ZERO_RANGE = 17

/** Gives, for a call by name, one that does the same and records it. */
export function recordedCalls(recorded: Recorded): (name: string, original: LibraryCall) => LibraryCall {
  const calls: Readonly<Record<string, (original: LibraryCall) => LibraryCall>> = {
    pwrite64:
      original =>
      (...args) => {
        const [fd = -1, address = 0, , position = 0] = args
        const written = original(...args)
        if (written > 0 && recorded.known(fd)) recorded.written(fd, Buffer.from(memory(address, written)), position)
        return written
      },
    fallocate:
      original =>
      (...args) => {
        const [fd = -1, mode = 0, position = 0, length = 0] = args
        const result = original(...args)
        if (result !== 0 || !recorded.known(fd)) return result
        if (mode === ALLOCATE) recorded.allocated(fd, position, length)
        else if (mode === PUNCH_HOLE || mode === ZERO_RANGE) recorded.zeroed(fd, position, length)
        else throw new Error(`chaos: fallocate with mode ${mode} is not recorded`)
        return result
      },
    mmap:
      original =>
      (...args) => {
        const [, length = 0, , , fd = -1] = args
        const address = original(...args)
        const path = recorded.pathOf(fd)
        if (address !== -1 && path !== undefined) recorded.mapped.add(path, address, memory(address, length))
        return address
      },
    munmap:
      original =>
      (...args) => {
        const [address = 0] = args
        recorded.noteStores()
        recorded.mapped.remove(address)
        return original(...args)
      },
  }
  return (name, original) => {
    if (HARMLESS.has(name)) return original
    const replacement = calls[name]
    if (replacement) return replacement(original)
    return () => {
      throw new Error(`chaos: the call ${name} is not recorded`)
    }
  }
}

function memory(address: number, length: number): Buffer {
  return Buffer.from(koffi.view(BigInt(address), length))
}
