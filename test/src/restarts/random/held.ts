// What the server's process holds when nobody is logged in: the same before and after, or something has leaked.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { ThreadCount } from './fault-order.js'
import type { RestartedServer } from './restarted-server.js'
import { WORKERS } from './stage.js'

const MIB = 1 << 20
/** Disks of sessions that ended by a fault of the server are kept for half a minute, and a machine may be slow. */
const SETTLES_MS = 180_000
const LOOK_MS = 250
/** What memory may have grown by: a coarse limit, for the runtime keeps what it may need again. */
const MEMORY_MIB = 160
/** What is in use of the heaps is known better; code that is compiled when it is needed first counts, too. */
const HEAP_MIB = 12
const SLACK: Partial<Record<keyof Held, number>> = { memoryMiB: MEMORY_MIB, heapMiB: HEAP_MIB }

export interface Held {
  /** Sockets, pipes, and what else is no file below the data directory. */
  readonly descriptors: number
  /** Opened files below the data directory, beyond those that the storage engine opens when it needs them first: two times each at most. */
  readonly openFiles: number
  /** Of files below the data directory. */
  readonly mappings: number
  /** Of volumes, less those that come when they are needed first and stay with their volume. */
  readonly files: number
  readonly threads: number
  /** All of the main thread, and those that keep the others alive; so for the ports, too. */
  readonly timers: number
  readonly messagePorts: number
  /** Of the main thread, after a garbage collection. */
  readonly heapMiB: number
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
  const counts = await countedBy(server)
  const sum = (what: 'timers' | 'messagePorts' | 'heapBytes') => counts.reduce((all, count) => all + count[what], 0)
  const open = openIn(server.pid)
  const mapped = readFileSync(`${proc}/maps`, 'utf8').split('\n')
  const held = {
    descriptors: open.filter(target => !target.startsWith(dataDir)).length,
    openFiles: beyondTwice(open.filter(target => target.startsWith(dataDir))),
    mappings: mapped.filter(line => line.includes(dataDir) && !line.includes('/state/')).length,
    files: filesBelow(dataDir).filter(path => isOfVolumes(path.slice(dataDir.length))).length,
    threads: readdirSync(`${proc}/task`).length,
    timers: sum('timers'),
    messagePorts: sum('messagePorts'),
    heapMiB: Math.round(sum('heapBytes') / MIB),
    memoryMiB: Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`${proc}/status`, 'utf8'))?.[1]) / 1024),
  }
  return { held, open: open.map(target => target.replace(/\[\d+\]/, '')).toSorted() }
}

/** What each thread has; all of them are well, and answer. */
async function countedBy(server: RestartedServer): Promise<readonly ThreadCount[]> {
  const { counts = [] } = await server.order({ kind: 'count', threads: WORKERS + 1 })
  const has = (role: ThreadCount['role']) => counts.filter(count => count.role === role).length
  if (has('session-worker') !== WORKERS || has('storage-engine') !== 1)
    throw new Error(`not all threads answer: ${JSON.stringify(counts)}`)
  return counts
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
    .filter(name => now[name] > before[name] + (SLACK[name] ?? 0))
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
