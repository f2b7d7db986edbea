// The server as a process of its own, to be killed at any time: also before it is ready. Unlike the harness of the other suites this one takes for granted
// that the process ends by a signal; what it logs as an error is a fault all the same.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DIES_WITH_PARENT } from '../../harness/run-program.js'
import { ROOT } from '../../repository.js'

const READY_MS = 180_000
const STOP_MS = 90_000
const ERROR_LEVELS: ReadonlySet<unknown> = new Set(['error', 'fatal', 50, 60])
const KEPT_LINES = 200

/** Ports of the loopback that it listens on. */
export interface ServerPorts {
  readonly iscsi: number
  readonly http: number
}

export class ServerProcess {
  readonly #child: ChildProcess
  readonly #lines: string[] = []
  readonly #errors: string[] = []
  readonly #ready: Promise<ServerPorts>

  constructor(configFile: string) {
    const command = [process.execPath, join(ROOT, 'supervisor/dist/main.js'), '--config', configFile]
    this.#child = spawn('setpriv', [...DIES_WITH_PARENT, ...command], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#ready = new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(this.#failure('was not ready in time')), READY_MS)
      this.#child.once('close', () => reject(this.#failure('ended before it was ready')))
      for (const stream of [this.#child.stdout, this.#child.stderr]) {
        if (stream) createInterface({ input: stream }).on('line', line => this.#take(line, resolve))
      }
      this.#ready?.finally(() => clearTimeout(timer))
      this.#child.once('close', () => clearTimeout(timer))
    })
    // Whoever kills it before it is ready does not ask.
    this.#ready.catch(() => undefined)
  }

  /** Where it listens, once it says so. @throws Error with what it printed */
  ready(): Promise<ServerPorts> {
    return this.#ready
  }

  /** What it logged as errors. */
  get errors(): readonly string[] {
    return this.#errors
  }

  /** Ends it as a crash does; resolves when it is gone. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** Ends it in order. @throws Error unless the exit code is 0 */
  async stop(): Promise<void> {
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS)
    const code = await this.#end('SIGTERM')
    clearTimeout(timer)
    if (code !== 0) throw this.#failure(`ended with ${code ?? 'a signal'} on SIGTERM`)
  }

  async #end(signal: NodeJS.Signals): Promise<number | null> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return this.#child.exitCode
    const exit = once(this.#child, 'close')
    this.#child.kill(signal)
    const [code] = (await exit) as [number | null]
    return code
  }

  #take(line: string, ready: (ports: ServerPorts) => void): void {
    this.#lines.push(line)
    if (this.#lines.length > KEPT_LINES) this.#lines.shift()
    const entry = parse(line)
    if (entry === undefined) return
    if (ERROR_LEVELS.has(entry.level)) this.#errors.push(line)
    if (entry.event === 'server.ready') ready({ iscsi: portOf(entry.iscsi), http: portOf(entry.http) })
  }

  #failure(what: string): Error {
    return new Error(`the server ${what}; it printed:\n${this.#lines.join('\n')}`)
  }
}

function portOf(address: unknown): number {
  return Number(String(address).split(':').at(-1))
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    return line.startsWith('{') ? (JSON.parse(line) as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
