/**
 * The new process of an upgrade, as the old one has it: the same command on the code and the configuration that are on disk now. It gets
 *
 *   0 nothing   1 our standard output   2 a pipe to us, until it serves   3 the link's stream   4 the link's pair   5 our standard error
 *
 * and the name of the link in the environment. Whatever keeps it from being ready, it says on its standard error, which ends up in the reason: a fault of the
 * configuration, a port that is taken, code that cannot be read, a thread that cannot start.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync } from 'node:fs'
import type { Duplex, Readable } from 'node:stream'
import { closeAllOnExec, socketPair } from '@scsipub/posix'
import { settledWithin } from '../settled-within.js'
import type { Estate, EstateMessage, ReadyMessage, TermsMessage } from './estate.js'
import { Link } from './link.js'

/** Tells a process that an upgrade has started it. */
export const LINK_VARIABLE = 'SCSIPUB_UPGRADE_LINK'
/** Variables that are about this very process [sd_listen_fds(3), sd_watchdog_enabled(3)]. */
const OF_THIS_PROCESS = ['LISTEN_FDS', 'LISTEN_PID', 'LISTEN_FDNAMES', 'WATCHDOG_PID']
/** The most of its standard error that is remembered, in characters. */
const MAX_REMEMBERED = 4096
const MAX_REASON_LINES = 5
/** How long after the end of the link the process may take to be gone. */
const EXIT_MS = 3_000

export interface HeirOptions {
  readonly command: readonly [program: string, ...args: string[]]
  readonly terms: TermsMessage
  /** How long it may take to be ready. */
  readonly readyMs: number
}

export class HeirProcess {
  readonly #link: Link
  readonly #child: ChildProcess
  readonly #exit: Promise<string>
  #ready: ReadyMessage | undefined
  #said = ''

  private constructor({ command: [program, ...args], terms }: HeirOptions) {
    const [ours, theirs] = socketPair()
    const env: NodeJS.ProcessEnv = { ...process.env, [LINK_VARIABLE]: '1' }
    for (const name of OF_THIS_PROCESS) delete env[name]
    closeAllOnExec() // the state store's library leaves its file open for children: each upgrade would add one
    this.#child = spawn(program, args, { env, stdio: ['ignore', 'inherit', 'pipe', 'pipe', theirs, 2] })
    closeSync(theirs)
    this.#link = new Link(this.#child.stdio[3] as Duplex, ours)
    this.#exit = new Promise(resolve => {
      this.#child.once('error', error => resolve(`it cannot be started: ${error.message}`))
      this.#child.once('close', (code, signal) =>
        resolve(signal === null ? `it ended with exit code ${code}` : `it was ended by ${signal}`),
      )
    })
    ;(this.#child.stdio[2] as Readable).setEncoding('utf8').on('data', (text: string) => this.#hear(text))
    this.#link.send(terms)
  }

  /** Starts it; resolves when it says that it is ready. Rejects with one line that says why it is not, when it is gone. */
  static async start(options: HeirOptions, signal: AbortSignal): Promise<HeirProcess> {
    const heir = new HeirProcess(options)
    try {
      await heir.#within(options.readyMs, signal, async () => {
        heir.#ready = await heir.#link.receive<ReadyMessage>('ready')
      })
      return heir
    } catch (error) {
      await heir.kill()
      throw error
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  get version(): string {
    return this.#ready?.version ?? ''
  }

  /** Gives it the estate and the open files; resolves when it has taken in all of it. Rejects as `serving` does. */
  async give(estate: Estate, descriptors: readonly number[], limitMs: number): Promise<void> {
    const message: EstateMessage = { kind: 'estate', estate }
    await this.#within(limitMs, undefined, async () => {
      await this.#link.sendDescriptors(descriptors)
      this.#link.send(message)
      await this.#link.receive('adopted')
    })
  }

  /**
   * Lets it begin; resolves when it serves. Rejects with one line when it ends instead, says something else or takes longer than `limitMs`; it may still be
   * alive then.
   */
  async go(limitMs: number): Promise<void> {
    this.#link.send({ kind: 'go' })
    await this.#within(limitMs, undefined, () => this.#link.receive('serving'))
  }

  /** Tells the process; one that is gone needs nothing. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Ends it, whatever it is doing; resolves when it is gone. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exit
    this.#link.close()
  }

  /** It lives on by itself: this process may end. */
  letGo(): void {
    this.#link.close()
    this.#child.stderr?.destroy()
    this.#child.unref()
  }

  async #within(limitMs: number, signal: AbortSignal | undefined, wait: () => Promise<unknown>): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<string>(resolve => {
      timer = setTimeout(() => resolve(`it was not done within ${limitMs / 1000} s`), limitMs)
      signal?.addEventListener('abort', () => resolve('it is not wanted any more'), { once: true })
    })
    try {
      // What it says before its end counts; that the link has ended is seen first, and its reason comes with the exit.
      const said = wait().then(
        () => undefined,
        (error: Error) => Promise.race([late, this.#exitOr(error.message)]),
      )
      const why = await Promise.race([said, this.#exit.then(() => said), late])
      if (why !== undefined) throw new Error(this.#reason(why))
    } finally {
      clearTimeout(timer)
    }
  }

  /** How it ended; or `why`, when it does not in spite of having let go of the link. */
  async #exitOr(why: string): Promise<string> {
    return (await settledWithin(this.#exit, EXIT_MS)) ? this.#exit : why
  }

  #hear(text: string): void {
    process.stderr.write(text)
    this.#said = (this.#said + text).slice(-MAX_REMEMBERED)
  }

  /** What it has said last, and how it ended. */
  #reason(why: string): string {
    const lines = this.#said
      .split('\n')
      .map(line => line.replace(/^scsipub: /, '').trim())
      .filter(line => line !== '' && !line.startsWith('at ') && !/^Node\.js v/.test(line))
    const said = lines.slice(-MAX_REASON_LINES).join('; ')
    return said === '' ? why : `${said} (${why})`
  }
}
