// The part of node:fs/promises that the storage engine uses, recorded: file handles, and the removal of folders.

import fs from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import type { Recorded } from './recorded.js'

type Handle = fs.promises.FileHandle
type AnyFunction = (this: Handle, ...args: never[]) => unknown

const FORBIDDEN = ['appendFile', 'writeFile', 'writev', 'createWriteStream'] as const
const FORBIDDEN_OF_PATHS = [
  'appendFile',
  'writeFile',
  'copyFile',
  'cp',
  'link',
  'symlink',
  'truncate',
  'rename',
  'unlink',
  'mkdir',
  'rmdir',
]

/** Replaces them in this process. */
export async function replaceFileHandles(recorded: Recorded): Promise<void> {
  const promises = fs.promises as unknown as Record<string, (...args: never[]) => unknown>
  const { inside } = recorded
  const openReal = fs.promises.open
  const probe = await openReal('/dev/null')
  replacePrototype(Object.getPrototypeOf(probe) as Record<string, AnyFunction>, recorded)
  await probe.close()
  promises.open = async (path: string, flags?: string, mode?: number) => {
    if (!inside(path)) return openReal(path, flags, mode)
    const { result, opened } = recorded.opening(path, flags, () => openReal(path, flags, mode))
    const handle = await result
    opened(handle.fd)
    return handle
  }
  const removeReal = fs.promises.rm
  promises.rm = async (path: string, options?: fs.RmOptions) => {
    if (!inside(path)) return removeReal(path, options)
    // One by one, so that others come in between, as with Node's own; each is recorded.
    for (const entry of below(path)) {
      if (fs.lstatSync(entry).isDirectory()) fs.rmdirSync(entry)
      else fs.unlinkSync(entry)
      await setImmediate()
    }
  }
  for (const name of FORBIDDEN_OF_PATHS) {
    const original = promises[name] as (...args: unknown[]) => unknown
    promises[name] = (...args: unknown[]) => {
      if (args.some(arg => inside(arg))) throw new Error(`chaos: fs.promises.${name} is not recorded`)
      return original.apply(fs.promises, args)
    }
  }
}

function replacePrototype(prototype: Record<string, AnyFunction>, recorded: Recorded): void {
  const real = { ...own(prototype) }
  prototype.write = async function (
    this: Handle,
    data: Uint8Array,
    offset = 0,
    length = data.length - offset,
    position?: number,
  ) {
    const result = (await real.write!.apply(this, [data, offset, length, position] as never[])) as {
      bytesWritten: number
    }
    recorded.written(this.fd, data.subarray(offset, offset + result.bytesWritten), position)
    return result
  } as AnyFunction
  prototype.truncate = async function (this: Handle, length = 0) {
    await real.truncate!.apply(this, [length] as never[])
    recorded.truncated(this.fd, length)
  } as AnyFunction
  for (const name of ['sync', 'datasync']) {
    prototype[name] = async function (this: Handle) {
      const done = recorded.syncing(this.fd)
      await real[name]!.apply(this, [])
      done()
    }
  }
  prototype.close = async function (this: Handle) {
    const { fd } = this
    await real.close!.apply(this, [])
    recorded.closed(fd)
  }
  for (const name of FORBIDDEN) {
    prototype[name] = function (this: Handle, ...args: never[]) {
      if (recorded.known(this.fd)) throw new Error(`chaos: FileHandle.${name} is not recorded`)
      return real[name]!.apply(this, args)
    }
  }
}

function own(prototype: object): Record<string, AnyFunction> {
  const methods: Record<string, AnyFunction> = {}
  for (const name of Object.getOwnPropertyNames(prototype)) {
    const { value } = Object.getOwnPropertyDescriptor(prototype, name) ?? {}
    if (typeof value === 'function') methods[name] = value as AnyFunction
  }
  return methods
}

function below(path: string): string[] {
  const entry = fs.lstatSync(path, { throwIfNoEntry: false })
  if (!entry) return []
  if (!entry.isDirectory()) return [path]
  return [...fs.readdirSync(path).flatMap(name => below(`${path}/${name}`)), path]
}
