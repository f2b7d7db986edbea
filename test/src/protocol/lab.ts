// What the protocol suites share: the address of the server under test, sessions that end with their test, content that is
// the same in every run, and a look at what the server's process holds.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { Initiator, type LoginOptions, type PortalAddress, type Wire } from '@scsipub/testkit'
import { iqn, type LogLine, type Server } from '../harness/server.js'

export const BLOCK = 512
export const BLANK = iqn('blank')
/** Blocks of the default blank disk. */
export const BLANK_BLOCKS = (64 << 20) / BLOCK

export function portal(server: Pick<Server, 'port'>): PortalAddress {
  return { host: '127.0.0.1', port: server.port }
}

/** Logs in to the blank disk unless told otherwise, gives the session to `use`, and closes the connection. */
export async function withSession(
  server: Pick<Server, 'port'>,
  options: LoginOptions,
  use: (initiator: Initiator) => Promise<void>,
): Promise<void> {
  const initiator = await Initiator.login(portal(server), { target: BLANK, ...options })
  try {
    await use(initiator)
  } finally {
    await initiator.close()
  }
}

/** A discovery session for `use`. */
export async function withDiscovery(server: Server, use: (initiator: Initiator) => Promise<void>): Promise<void> {
  const initiator = await Initiator.login(portal(server))
  try {
    await use(initiator)
  } finally {
    await initiator.close()
  }
}

/** Sixteen bytes of CDB from hexadecimal text; what is missing is zero. */
export function cdbOf(hex: string): Buffer {
  const cdb = Buffer.alloc(16)
  Buffer.from(hex.replaceAll(' ', ''), 'hex').copy(cdb)
  return cdb
}

/** Gives several sessions of one target to `use`, each on the worker that has the fewest, and closes them. */
export async function withSessions(
  server: Pick<Server, 'port'>,
  { count, ...options }: LoginOptions & { count: number },
  use: (...initiators: Initiator[]) => Promise<void>,
): Promise<void> {
  const initiators: Initiator[] = []
  try {
    for (let number = 0; number < count; number++) initiators.push(await Initiator.login(portal(server), options))
    await use(...initiators)
  } finally {
    for (const initiator of initiators) await initiator.close()
  }
}

/** Bytes that look random, differ from block to block, and depend on `seed` alone. */
export function content(bytes: number, seed: number): Buffer {
  const buffer = Buffer.alloc(bytes)
  let state = (seed * 2654435761) >>> 0 || 1
  for (let at = 0; at < bytes; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    buffer[at] = state >>> 24
  }
  return buffer
}

/**
 * Waits until `condition` holds; looks every 20 ms.
 * @throws Error after `deadlineMs`, with the last value that `show` gave
 */
export async function until(
  what: string,
  condition: () => boolean,
  { deadlineMs = 60_000, show = () => '' }: { deadlineMs?: number; show?: () => string } = {},
): Promise<void> {
  const end = performance.now() + deadlineMs
  while (!condition()) {
    if (performance.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what} ${show()}`)
    await setTimeout(20)
  }
}

/** Asks again and again until the answer is `wanted`; the last answer, for an assertion, after 60 s too. */
export async function eventually<T>(ask: () => Promise<T>, wanted: T): Promise<T> {
  const end = performance.now() + 60_000
  for (;;) {
    const answer = await ask()
    if (answer === wanted || performance.now() > end) return answer
    await setTimeout(20)
  }
}

/**
 * Waits until the log has so many lines with that event, and gives all that it has of them. What a server has logged before it answers
 * may still be read after the answer: it comes by another way.
 */
export async function untilLogged(server: Pick<Server, 'log'>, event: string, count = 1): Promise<LogLine[]> {
  const lines = () => server.log.filter(line => line.event === event)
  await until(`${count} × ${event} in the log`, () => lines().length >= count, { show: () => JSON.stringify(lines()) })
  return lines()
}

const ESTABLISHED = '01'

/**
 * Whether the server has not closed its end of a connection, as the kernel has it at this moment: its FIN may come after an answer that was
 * sent later on another connection.
 */
export function isHeldByServer({ port }: Pick<Server, 'port'>, { localPort }: Wire): boolean {
  const ends = [port, localPort].map(number => number.toString(16).toUpperCase().padStart(4, '0'))
  return readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .some(line => {
      const [, local = '', remote = '', state] = line.trim().split(/\s+/)
      return state === ESTABLISHED && local.endsWith(`:${ends[0]}`) && remote.endsWith(`:${ends[1]}`)
    })
}

/** Lets the event loop take in everything that the kernel has ready by now, on all sockets. */
export async function takeInWhatIsThere(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await setImmediate()
}

/** What the server's process and its data directory hold at a moment. */
export interface Holdings {
  readonly descriptors: number
  readonly mappings: number
  /** Files below the data directory, less the catalog and the configuration. */
  readonly files: readonly string[]
}

/** Process id of the server, as it told itself. */
export function pidOf(server: Server): number {
  const line = server.log.find(({ event }) => event === 'server.ready')
  const pid = line?.pid
  if (typeof pid !== 'number') throw new Error('server.ready does not tell the pid')
  return pid
}

/**
 * Descriptors and mappings that sessions cost: sockets, and files below the data directory, less those of the state store. Those of the runtime and of libraries come and go
 * as code is loaded.
 */
export function holdings(server: Server): Holdings {
  const proc = `/proc/${pidOf(server)}`
  const mapped = readFileSync(`${proc}/maps`, 'utf8')
    .split('\n')
    .filter(line => line.includes(server.dataDir) && !line.includes(join(server.dataDir, 'state')))
  const descriptors = readdirSync(`${proc}/fd`).filter(fd => {
    const target = linkOf(`${proc}/fd/${fd}`)
    return target.startsWith('socket:') || (target.includes(server.dataDir) && !target.includes('/state/'))
  })
  return { descriptors: descriptors.length, mappings: mapped.length, files: volumeFiles(server) }
}

/** Where a link points; nowhere when it has gone meanwhile. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

/** The configuration, and the lock that keeps a second server away. */
const NOT_OF_VOLUMES = ['config.json', 'lock']

const NOT_OF_VOLUMES_FOLDERS = ['catalog', 'state', 'leases']

/** Files that belong to volumes. */
export function volumeFiles(server: Pick<Server, 'dataDir'>): string[] {
  return filesBelow(server.dataDir)
    .filter(path => !NOT_OF_VOLUMES_FOLDERS.some(folder => path.startsWith(join(server.dataDir, folder))))
    .sort()
}

/** Folders may go away while they are read: nothing is in them then. */
function filesBelow(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).flatMap(entry => {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) return filesBelow(path)
      return NOT_OF_VOLUMES.includes(entry.name) ? [] : [path]
    })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** Sessions and connections whose end was not seen yet keep things for a moment; waits until nothing more than `before` is held. */
export async function untilNoMoreThan(server: Server, before: Holdings): Promise<void> {
  await until(
    'descriptors, mappings and files go back',
    () => {
      const now = holdings(server)
      return (
        now.descriptors <= before.descriptors &&
        now.mappings <= before.mappings &&
        now.files.length <= before.files.length
      )
    },
    {
      show: () => {
        const now = holdings(server)
        return `descriptors ${before.descriptors} → ${now.descriptors}, mappings ${before.mappings} → ${now.mappings}, files ${now.files.join(' ')}`
      },
    },
  )
}
