// The server under test as a process of its own that may be replaced by another one (an upgrade in place): whoever serves now is known by what it says
// when it is ready. All of them write to one log. An error in it, or an exit code other than 0, fails the test.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'
import { ROOT } from '../repository.js'
import { LIMITED_SERVER, type Limits, limitsVariable } from './limited-server.js'
import type { LogLine } from './server.js'

export interface UpgradableServer {
  readonly port: number
  readonly api: string
  readonly dataDir: string
  readonly configFile: string
  readonly log: readonly LogLine[]
  /** What was written to standard error. */
  readonly complaints: readonly string[]
  /** Process that serves now. */
  pid(): number
  /** Waits for a line of the log, of a process that is wanted where it tells its own. */
  logged(event: string, of?: (pid: unknown) => boolean): Promise<LogLine>
  /** Asks for an upgrade over HTTP, and gives the answer. */
  upgrade(): Promise<{ status: number; body: Record<string, unknown> }>
  /** Exit code of the first process. */
  readonly exit: Promise<number | null>
}

export interface UpgradableOptions {
  readonly config?: Readonly<Record<string, unknown>>
  readonly env?: NodeJS.ProcessEnv
  /** Where the data directory is; a fresh folder unless told. */
  readonly folder?: string
  /** A script in place of the server's own, which it has to import. */
  readonly script?: string
  /** Options of Node for the process, which those that follow it get too. */
  readonly execArgv?: readonly string[]
  /** Limits of time other than the server's own. */
  readonly limits?: Limits
  /** Errors that the log may have. */
  readonly mayFail?: boolean
  /** Further descriptors of the process, from 3 on. */
  readonly descriptors?: readonly number[]
  /** These are sockets of a service manager, meant for the process [sd_listen_fds(3)]. */
  readonly activated?: boolean
}

export const ADMIN_TOKEN = 'token-of-the-administrator'
export const MAIN = join(ROOT, 'supervisor/dist/main.js')
const READY_MS = 180_000
const STOP_MS = 90_000
const ERRORS: ReadonlySet<string | number> = new Set(['error', 'fatal', 50, 60])

/** Starts a server, gives it to `use`, and stops whoever serves then. */
export async function withUpgradableServer(
  t: Test,
  options: UpgradableOptions,
  use: (server: UpgradableServer) => Promise<void>,
): Promise<void> {
  const dataDir = options.folder ?? t.testdir()
  const configFile = join(dataDir, 'config.json')
  const listen = { iscsi: '127.0.0.1:0', http: '127.0.0.1:0' }
  const file = { dataDir: join(dataDir, 'data'), listen, admin: { token: ADMIN_TOKEN }, ...options.config }
  writeFileSync(configFile, JSON.stringify(file))
  const script = options.script ?? (options.limits ? LIMITED_SERVER : MAIN)
  const command = [process.execPath, ...(options.execArgv ?? []), script, '--config', configFile]
  // The variable has the id of the process that it is for, which a shell knows of itself.
  const [program, ...args] = options.activated
    ? ['/bin/sh', '-c', 'LISTEN_PID=$$ exec "$@"', 'sh', ...command]
    : command
  const child = spawn(program!, args, {
    env: { ...process.env, ...(options.limits && limitsVariable(options.limits)), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe', ...(options.descriptors ?? [])],
  })
  const log: LogLine[] = []
  const complaints: string[] = []
  const waiting = new Set<() => void>()
  const exit = once(child, 'exit').then(([code]) => code as number | null)
  createInterface({ input: child.stdout! }).on('line', line => {
    log.push(JSON.parse(line) as LogLine)
    for (const look of [...waiting]) look()
  })
  createInterface({ input: child.stderr! }).on('line', line => complaints.push(line))
  const everybodyGone = once(child.stdout!, 'close')
  const pids = () => [...new Set([child.pid ?? 0, ...log.flatMap(({ pid }) => (typeof pid === 'number' ? [pid] : []))])]

  const logged = (event: string, of = (_pid: unknown) => true, limitMs = READY_MS) =>
    new Promise<LogLine>((resolve, reject) => {
      const end = (settle: () => void) => {
        clearTimeout(limit)
        waiting.delete(look)
        settle()
      }
      const limit = setTimeout(() => {
        const said = [...log.slice(-20).map(line => JSON.stringify(line)), ...complaints].join('\n')
        end(() => reject(new Error(`the server has not logged ${event}; the last that it said:\n${said}`)))
      }, limitMs)
      const look = () => {
        const line = log.find(line => line.event === event && of(line.pid))
        if (line) end(() => resolve(line))
      }
      waiting.add(look)
      look()
    })
  const serving = () => log.findLast(({ event }) => event === 'server.ready')
  let isWell = false
  try {
    const ready = await logged('server.ready')
    const api = `http://${String(ready.http)}`
    await use({
      port: Number(String(ready.iscsi).split(':').at(-1)),
      api,
      dataDir,
      configFile,
      log,
      complaints,
      pid: () => Number(serving()?.pid),
      logged,
      upgrade: async () => {
        const headers = { authorization: `Bearer ${ADMIN_TOKEN}`, connection: 'close' }
        const response = await fetch(`${api}/api/admin/upgrade`, { method: 'POST', headers })
        const body = (await response.json()) as { to?: { pid: number } }
        if (body.to) await logged('server.ready', pid => pid === body.to?.pid)
        return { status: response.status, body: body as Record<string, unknown> }
      },
      exit,
    })
    if (!options.mayFail) {
      signal(Number(serving()?.pid), 'SIGTERM')
      await logged('server.stopped', undefined, STOP_MS)
      t.same(
        log.filter(line => ERRORS.has(line.level)),
        [],
        'the server logged no error',
      )
      t.equal(await exit, 0, 'the first process has ended with code 0')
    }
    isWell = true
  } finally {
    for (const pid of pids()) signal(pid, 'SIGKILL')
    await everybodyGone
    if (!isWell || !t.passing())
      t.comment(
        log
          .slice(-40)
          .map(line => JSON.stringify(line))
          .join('\n'),
        complaints.join('\n'),
      )
  }
}

/** One that is gone needs nothing. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    if (pid > 0) process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
