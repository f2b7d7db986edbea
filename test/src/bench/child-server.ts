// A server that runs beside the benchmark as a process of its own, until the benchmark ends it.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'

const READY_MS = 30_000
const POLL_MS = 50
const STOP_MS = 20_000
const KEPT_CHARACTERS = 4000

export class ChildServer {
  readonly pid: number
  readonly #child: ChildProcess
  readonly #name: string
  #printed = ''

  /** Starts `program`. Its end, when nobody asked for it, shows in `untilReady` or in the load that fails. */
  constructor(program: string, args: readonly string[]) {
    this.#name = program
    this.#child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.pid = this.#child.pid ?? 0
    process.once('exit', () => this.#child.kill('SIGKILL'))
    this.#child.on('error', error => this.#keep(String(error)))
    this.#child.stdout?.setEncoding('utf8').on('data', text => this.#keep(text))
    this.#child.stderr?.setEncoding('utf8').on('data', text => this.#keep(text))
  }

  /** The last characters of what it printed. */
  get printed(): string {
    return this.#printed
  }

  /**
   * Polls `ready` until it gives something.
   * @throws Error with what the server printed, when it ended or took too long
   */
  async untilReady<T>(ready: () => T | undefined | Promise<T | undefined>): Promise<T> {
    for (let waitedMs = 0; waitedMs < READY_MS; waitedMs += POLL_MS) {
      const found = await ready()
      if (found !== undefined) return found
      if (this.#over) break
      await delay(POLL_MS)
    }
    throw new Error(`${this.#name} did not become ready; it printed:\n${this.#printed}`)
  }

  /** Ends it by a signal, and by SIGKILL when that does not help; settles when it has gone. */
  async stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (this.#over || this.pid === 0) return
    const exit = once(this.#child, 'exit')
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS)
    this.#child.kill(signal)
    await exit
    clearTimeout(timer)
  }

  get #over(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  #keep(text: string): void {
    this.#printed = (this.#printed + text).slice(-KEPT_CHARACTERS)
  }
}
