// What the server's process holds when nobody is logged in: the same before and after, or something has leaked.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { ROOT } from '../../repository.js'
import type { RestartedServer } from './restarted-server.js'

/** Disks of sessions that ended by a fault of the server are kept for half a minute. */
const SETTLES_MS = 60_000
const LOOK_MS = 250
/** What memory may have grown by: a coarse limit, for the runtime keeps what it may need again. */
const MEMORY_MIB = 160

export interface Held {
  /** Sockets, pipes, and what else is no file below the data directory; less our own code, of which Node leaves files open when a thread is ended while it loads them. */
  readonly descriptors: number
  /** Opened files below the data directory, beyond those that the storage engine opens when it needs them first: two times each at most; less the state store's. */
  readonly openFiles: number
  /** Of files below the data directory. */
  readonly mappings: number
  /** Of volumes, less those that come when they are needed first and stay with their volume. */
  readonly files: number
  readonly threads: number
  /** Timers of the main thread that keep its event loop alive. */
  readonly timers: number
  readonly memoryMiB: number
}

/** The same, and what the descriptors stand for, sorted, to tell what is new. */
interface Found {
  readonly held: Held
  readonly open: readonly string[]
}

/** What the process that serves holds now. */
export async function heldBy(server: RestartedServer, dataDir: string): Promise<Found> {
  const proc = `/proc/${server.pid}`
  const { counts = {} } = await server.order({ kind: 'count' })
  const open = openIn(server.pid)
  const mapped = readFileSync(`${proc}/maps`, 'utf8').split('\n')
  const held = {
    descriptors: open.filter(target => !target.startsWith(dataDir) && !isCode(target)).length,
    openFiles: beyondTwice(open.filter(target => target.startsWith(dataDir) && !target.includes('/state/'))),
    mappings: mapped.filter(line => line.includes(dataDir) && !line.includes('/state/')).length,
    files: filesBelow(dataDir).filter(path => isOfVolumes(path.slice(dataDir.length))).length,
    threads: readdirSync(`${proc}/task`).length,
    timers: counts['Timeout'] ?? 0,
    memoryMiB: Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`${proc}/status`, 'utf8'))?.[1]) / 1024),
  }
  return { held, open: open.map(target => target.replace(/\[\d+\]/, '')).toSorted() }
}

/** Waits until nothing more is held than `before`; what is held then. @throws Error that says what has leaked */
export async function untilNoMoreHeld(server: RestartedServer, dataDir: string, before: Found): Promise<Found> {
  for (const end = performance.now() + SETTLES_MS; ; ) {
    const now = await heldBy(server, dataDir)
    const more = excess(before.held, now.held)
    if (more.length === 0) return now
    if (performance.now() > end)
      throw new Error(`leaked: ${more.join(', ')}; opened: ${added(before.open, now.open).join(', ')}`)
    await setTimeout(LOOK_MS)
  }
}

function excess(before: Held, now: Held): string[] {
  const names = Object.keys(before) as (keyof Held)[]
  return names
    .filter(name => now[name] > before[name] + (name === 'memoryMiB' ? MEMORY_MIB : 0))
    .map(name => `${name} ${before[name]} → ${now[name]}`)
}

/** What is there now and was not, or not so often. */
function added(before: readonly string[], now: readonly string[]): string[] {
  const left = [...before]
  return now.filter(target => {
    const index = left.indexOf(target)
    if (index >= 0) left.splice(index, 1)
    return index < 0
  })
}

/** What the descriptors of a process stand for. */
function openIn(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`)
    .map(fd => linkOf(`/proc/${pid}/fd/${fd}`))
    .filter(target => target !== '')
}

/** How many there are beyond two of each; of a file that is deleted there must be none. */
function beyondTwice(paths: readonly string[]): number {
  const times = new Map<string, number>()
  for (const path of paths) times.set(path, (times.get(path) ?? (path.endsWith(' (deleted)') ? 2 : 0)) + 1)
  return [...times.values()].reduce((sum, count) => sum + Math.max(0, count - 2), 0)
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

function isCode(path: string): boolean {
  return path.startsWith(ROOT) && path.endsWith('.js')
}

function isOfVolumes(path: string): boolean {
  return /^\/(volumes|ephemeral|snapshots)\//.test(path) && !/\/(intent|reservations\.json)$/.test(path)
}

/** Folders may go away while they are read: nothing is in them then. */
function filesBelow(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).flatMap(entry => {
      const path = join(folder, entry.name)
      return entry.isDirectory() ? filesBelow(path) : [path]
    })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
