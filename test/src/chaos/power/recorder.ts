// Records what a process does to the files below one folder. Preloaded by `--import`, before the program's own modules: it replaces the functions of
// node:fs that change files, and the C library's calls as koffi hands them out, by ones that do the same and append a record. Nothing is
// simulated here; the real files are written as well.
//
//   CHAOS_ROOT      the folder
//   CHAOS_LOG       where the records go
//   CHAOS_KILL_AT   after so many records the process ends by SIGKILL
//   CHAOS_KILL_OPS  of these kinds, if told; separated by commas
//
// Stores into mapped memory leave no trace, so the mapped files are compared with what they were before every other record. A call that would
// change files and is not known here throws: a harness that overlooks a write proves nothing.

import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { dirname } from 'node:path'
import koffi from 'koffi'
import { MappedFiles } from './mapped-files.js'
import { type FileRecord, RecordWriter } from './record-log.js'
import type { Recorded } from './recorded.js'
import { type LibraryCall, recordedCalls } from './recorded-calls.js'
import { replaceFileHandles } from './recorded-handles.js'

const ROOT = process.env.CHAOS_ROOT ?? ''
const writer = ROOT === '' ? undefined : new RecordWriter(process.env.CHAOS_LOG ?? '')
const killOps = process.env.CHAOS_KILL_OPS?.split(',')
let left = Number(process.env.CHAOS_KILL_AT ?? 'Infinity')

interface OpenFile {
  readonly path: string
  /** Where a write without a position goes. */
  position: number
}

/** Descriptors below the folder. */
const open = new Map<number, OpenFile>()
const mapped = new MappedFiles()
const real = { ...fs }
let syncs = 0
/** Node's own rmSync is made of calls that are replaced here. */
let nested = false

function append(record: FileRecord, data?: Uint8Array): void {
  if (!writer) return
  noteStores()
  add(record, data)
}

function noteStores(): void {
  for (const { path, position, bytes } of mapped.changes()) add({ op: 'store', path, position }, bytes)
}

function add(record: FileRecord, data?: Uint8Array): void {
  writer?.append(record, data)
  if (killOps && !killOps.includes(record.op)) return
  if (--left <= 0) process.kill(process.pid, 'SIGKILL')
}

/** Puts a mark of the load into the log. */
export function mark(value: unknown): void {
  append({ op: 'mark', mark: value })
}

const recorded: Recorded = {
  mapped,
  noteStores,
  inside: (path): path is string =>
    ROOT !== '' && typeof path === 'string' && (path === ROOT || path.startsWith(`${ROOT}/`)),
  known: fd => open.has(fd),
  pathOf: fd => open.get(fd)?.path,
  opening(path, flags, act) {
    const created = !real.existsSync(path)
    const text = String(flags ?? 'r')
    if (!/^(r|r\+|w|wx|wx\+|a|w\+)$/.test(text)) throw new Error(`chaos: open with the flags ${text} is not recorded`)
    const result = act()
    const opened = (fd: number) => {
      open.set(fd, { path, position: text === 'a' && !created ? real.statSync(path).size : 0 })
      append({ op: 'open', fd, path, created, truncated: text.startsWith('w') && !created })
    }
    return { result, opened }
  },
  written(fd, data, position) {
    const file = open.get(fd)
    if (!file) return
    const at = position ?? file.position
    if (position === null || position === undefined) file.position += data.length
    append({ op: 'write', fd, position: at }, data)
    mapped.refresh(file.path)
  },
  truncated(fd, length) {
    if (open.has(fd)) append({ op: 'truncate', fd, length })
  },
  allocated(fd, position, length) {
    if (open.has(fd)) append({ op: 'allocate', fd, position, length })
  },
  zeroed(fd, position, length) {
    if (open.has(fd)) append({ op: 'zero', fd, position, length })
  },
  syncing(fd) {
    if (!open.has(fd)) return () => undefined
    const id = ++syncs
    append({ op: 'syncBegin', id, fd })
    return () => append({ op: 'syncEnd', id })
  },
  closed(fd) {
    if (!open.delete(fd)) return
    append({ op: 'close', fd })
  },
}

/** All entries of a folder and itself, the deepest first. */
function tree(path: string): string[] {
  const entry = real.lstatSync(path, { throwIfNoEntry: false })
  if (!entry) return []
  if (!entry.isDirectory()) return [path]
  return [...real.readdirSync(path).flatMap(name => tree(`${path}/${name}`)), path]
}

function replaceSynchronous(): void {
  const own = fs as unknown as Record<string, unknown>
  const { inside } = recorded
  own.openSync = (path: string, flags?: string, mode?: number) => {
    if (!inside(path)) return real.openSync(path, flags ?? 'r', mode)
    const { result, opened } = recorded.opening(path, flags, () => real.openSync(path, flags ?? 'r', mode))
    opened(result)
    return result
  }
  own.closeSync = (fd: number) => {
    real.closeSync(fd)
    recorded.closed(fd)
  }
  own.writeSync = (
    fd: number,
    data: Uint8Array,
    offset = 0,
    length = data.length - offset,
    position?: number | null,
  ) => {
    if (typeof data === 'string' && recorded.known(fd)) throw new Error('chaos: a write of text is not recorded')
    const written = real.writeSync(fd, data, offset, length, position)
    recorded.written(fd, data.subarray(offset, offset + written), position)
    return written
  }
  own.writeFileSync = (target: string | number, data: string | Uint8Array, options?: fs.WriteFileOptions) => {
    const known = typeof target === 'number' ? recorded.known(target) : inside(target)
    if (!known) return real.writeFileSync(target, data, options)
    const fd = typeof target === 'number' ? target : fs.openSync(target, 'w')
    const bytes = Buffer.from(data as string)
    for (let done = 0; done < bytes.length; ) done += fs.writeSync(fd, bytes, done, bytes.length - done)
    if (typeof target !== 'number') fs.closeSync(fd)
  }
  own.ftruncateSync = (fd: number, length = 0) => {
    real.ftruncateSync(fd, length)
    recorded.truncated(fd, length)
  }
  for (const name of ['fsyncSync', 'fdatasyncSync'] as const) {
    own[name] = (fd: number) => {
      const done = recorded.syncing(fd)
      real[name](fd)
      done()
    }
  }
  for (const name of ['fsync', 'fdatasync'] as const) {
    own[name] = (fd: number, callback: (error: NodeJS.ErrnoException | null) => void) => {
      const done = recorded.syncing(fd)
      real[name](fd, error => {
        if (!error) done()
        callback(error)
      })
    }
  }
  own.mkdirSync = (path: string, options?: fs.MakeDirectoryOptions) => {
    const missing: string[] = []
    for (let at = path; inside(at) && !real.existsSync(at); at = dirname(at)) missing.unshift(at)
    const result = real.mkdirSync(path, options)
    for (const made of missing) append({ op: 'mkdir', path: made })
    return result
  }
  own.renameSync = (from: string, to: string) => {
    real.renameSync(from, to)
    if (inside(from) || inside(to)) append({ op: 'rename', from, to })
  }
  for (const name of ['rmSync', 'unlinkSync', 'rmdirSync'] as const) {
    own[name] = (path: string, options?: fs.RmOptions) => {
      if (nested) return name === 'rmSync' ? real.rmSync(path, options) : real[name](path)
      const gone = inside(path) ? tree(path) : []
      nested = true
      try {
        if (name === 'rmSync') real.rmSync(path, options)
        else real[name](path)
      } finally {
        nested = false
      }
      for (const removed of gone) append({ op: 'remove', path: removed })
    }
  }
}

const FORBIDDEN = [
  'appendFile',
  'copyFile',
  'cp',
  'link',
  'symlink',
  'truncate',
  'writev',
  'futimes',
  'lutimes',
] as const
const FORBIDDEN_CALLBACKS = [
  'write',
  'writeFile',
  'rename',
  'unlink',
  'rm',
  'rmdir',
  'mkdir',
  'ftruncate',
  'open',
  'createWriteStream',
] as const

function forbidTheRest(): void {
  const own = fs as unknown as Record<string, (...args: unknown[]) => unknown>
  const names = [...FORBIDDEN.flatMap(name => [name, `${name}Sync`]), ...FORBIDDEN_CALLBACKS]
  for (const name of names) {
    const original = own[name]
    if (!original) continue
    own[name] = (...args: unknown[]) => {
      const concerned =
        args.some(arg => recorded.inside(arg)) || (typeof args[0] === 'number' && recorded.known(args[0]))
      if (concerned) throw new Error(`chaos: fs.${name} is not recorded`)
      return original.apply(fs, args)
    }
  }
}

function replaceLibrary(): void {
  const load = koffi.load
  const calls = recordedCalls(recorded)
  koffi.load = ((path: string | null) => {
    const library = load(path)
    return {
      func: (signature: string): LibraryCall => {
        const original = library.func(signature) as LibraryCall
        const name = /(\w+)\(/.exec(signature)?.[1] ?? signature
        return calls(name, original)
      },
    }
  }) as unknown as typeof koffi.load
}

if (writer) {
  append({ op: 'process' })
  replaceSynchronous()
  forbidTheRest()
  await replaceFileHandles(recorded)
  replaceLibrary()
  syncBuiltinESMExports()
}
