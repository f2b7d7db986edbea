// The server under test, as a process of its own, as an operator starts it: a config file, a data directory, SIGTERM at the
// end. What it logs is kept; an error in its log or an exit code other than 0 fails the test that used it.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'
import { ROOT } from '../repository.js'
import { DIES_WITH_PARENT } from './run-program.js'

/** One line of the server's log (pino's JSON); the level by its name or its number. */
export interface LogLine {
  readonly level: string | number
  readonly event?: string
  readonly msg?: string
  readonly [key: string]: unknown
}

export interface ServerOptions {
  /** Keys of the config file beside `dataDir` and `listen`. */
  readonly config?: Readonly<Record<string, unknown>>
  /** Listen on this port of the loopback; 0 unless told. */
  readonly port?: number
  /** An existing data directory to go on with; a fresh one unless told. */
  readonly dataDir?: string
  /** Images put into the catalog before the start, by name. */
  readonly images?: Readonly<Record<string, Buffer>>
  /** Environment variables beside those of the test. */
  readonly env?: Readonly<Record<string, string>>
}

export interface Server {
  readonly port: number
  /** `127.0.0.1:PORT` */
  readonly portal: string
  /** `http://127.0.0.1:PORT` */
  readonly api: string
  readonly dataDir: string
  readonly log: readonly LogLine[]
  /** `iscsi://` address of a logical unit, as libiscsi and QEMU write it. `name` is what follows the prefix. */
  url(name: string, lun?: number): string
  /** Ends the process as a crash does, by SIGKILL; resolves when it is gone. */
  kill(): Promise<void>
}

/** IQN of a target by what follows the prefix. */
export const iqn = (name: string): string => `iqn.2025-01.pub.scsipub:${name}`

const START_MS = 300_000
const STOP_MS = 300_000
const ERRORS: ReadonlySet<string | number> = new Set(['error', 'fatal', 50, 60])

/**
 * Starts a server, gives it to `use`, stops it by SIGTERM, and asserts exit code 0 and a log without errors.
 * @throws Error when the server does not say `server.ready` in time; the message holds what it printed
 */
export async function withServer(
  t: Test,
  options: ServerOptions,
  use: (server: Server) => Promise<void>,
): Promise<void> {
  const dataDir = options.dataDir ?? t.testdir()
  for (const [name, content] of Object.entries(options.images ?? {})) addImage(dataDir, name, content)
  const listen = { iscsi: `127.0.0.1:${options.port ?? 0}`, http: '127.0.0.1:0' }
  const configFile = join(dataDir, 'config.json')
  writeFileSync(configFile, JSON.stringify({ dataDir, listen, ...options.config }))

  const command = [process.execPath, join(ROOT, 'supervisor/dist/main.js'), '--config', configFile]
  const child = spawn('setpriv', [...DIES_WITH_PARENT, ...command], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
  })
  const log: LogLine[] = []
  const printed: string[] = []
  let crashed = false
  try {
    const { iscsi, http } = await ready(child, log, printed)
    const port = Number(iscsi.split(':').at(-1))
    await use({
      port,
      portal: `127.0.0.1:${port}`,
      api: `http://${http}`,
      dataDir,
      log,
      url: (name, lun = 0) => `iscsi://127.0.0.1:${port}/${iqn(name)}/${lun}`,
      kill: async () => {
        if (isOver(child)) throw new Error(`the server has ended by itself; it printed:\n${printed.join('\n')}`)
        crashed = true
        const exit = once(child, 'exit')
        child.kill('SIGKILL')
        await exit
      },
    })
    const faults = log.filter(line => ERRORS.has(line.level))
    t.same(faults, [], 'the server logged no error')
  } finally {
    const code = await stop(child)
    if (!crashed) t.equal(code, 0, 'the server ends with code 0 on SIGTERM')
    if (!t.passing()) t.comment(`server log:\n${printed.slice(-40).join('\n')}`)
  }
}

/** Puts an image and its manifest into the catalog of a data directory. */
function addImage(dataDir: string, name: string, content: Buffer): void {
  const catalog = join(dataDir, 'catalog')
  mkdirSync(catalog, { recursive: true })
  writeFileSync(join(catalog, `${name}.img`), content)
  writeFileSync(join(catalog, `${name}.json`), JSON.stringify({ name, title: `Image ${name}`, file: `${name}.img` }))
}

/** Where the server listens, as it says when it is ready. */
function ready(child: ChildProcess, log: LogLine[], printed: string[]): Promise<{ iscsi: string; http: string }> {
  return new Promise((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`the server ${why}; it printed:\n${printed.join('\n')}`))
    const timer = setTimeout(() => fail(`was not ready within ${START_MS} ms`), START_MS)
    child.once('error', error => fail(`did not start: ${error.message}`))
    child.once('exit', code => fail(`ended with code ${code}`))
    for (const stream of [child.stdout, child.stderr]) {
      if (!stream) continue
      createInterface({ input: stream }).on('line', line => {
        printed.push(line)
        const entry = parseLine(line)
        if (!entry) return
        log.push(entry)
        if (entry.event !== 'server.ready') return
        clearTimeout(timer)
        resolve({ iscsi: String(entry.iscsi), http: String(entry.http) })
      })
    }
  })
}

function parseLine(line: string): LogLine | undefined {
  if (!line.startsWith('{')) return
  try {
    return JSON.parse(line) as LogLine
  } catch {
    return
  }
}

function isOver({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null
}

/** Exit code after SIGTERM; `killed` when it took too long and had to be killed. */
async function stop(child: ChildProcess): Promise<number | null | 'killed'> {
  if (isOver(child)) return child.exitCode
  let killed = false
  const timer = setTimeout(() => {
    killed = true
    child.kill('SIGKILL')
  }, STOP_MS)
  const exit = once(child, 'exit')
  child.kill('SIGTERM')
  const [code] = (await exit) as [number | null]
  clearTimeout(timer)
  return killed ? 'killed' : code
}
