/**
 * An upgrade in place, as the old process has it: starts the new one, lets the server rest, gives everything away, and leaves. When each step is taken the machine
 * says (`supervisor.machine.ts`), and what the two processes say to each other is in `estate.ts`.
 *
 * The point of no return is the word *go*. By then the new process has opened the volumes and taken in the sessions, and has changed, read and sent nothing; if it ends or
 * hangs before, this one kills it, makes sure that it is gone, and goes on. After it nobody can know what the new one has done: if it does not serve then, both
 * end, as by a crash, and the service manager starts anew.
 */

import type { Log } from '../log.js'
import { NobodyServes, type SupervisorEvent, type UpgradeRefusal } from '../supervisor.machine.js'
import type { TermsMessage, UpgradeReport } from './estate.js'
import { HeirProcess } from './heir-process.js'
import type { Resting } from './rest.js'

export interface UpgradeLimits {
  /** From the start of the new process until it is ready. */
  readonly readyMs: number
  /** Until it has taken in everything. Sessions stall meanwhile, and for as long as it takes to go on here, which is no less on a machine that is slow. */
  readonly adoptedMs: number
  /** From *go* until it serves. */
  readonly servingMs: number
}

export interface UpgradeParts {
  /** The program and arguments of the new process. */
  readonly command: readonly [program: string, ...args: string[]]
  readonly terms: TermsMessage
  readonly version: string
  readonly log: Log
  readonly limits?: Partial<UpgradeLimits> | undefined
  /** To the machine. */
  readonly send: (event: Extract<SupervisorEvent, { type: 'upgrade.requested' }>) => void
  /** Lets the server rest, see `rest`. */
  readonly rest: () => Promise<Resting>
}

/** Why there is no upgrade; the server is as it was. */
export class UpgradeError extends Error {
  readonly code: 'busy' | 'stopping' | 'failed'

  constructor(code: 'busy' | 'stopping' | 'failed', why: string) {
    super(why)
    this.name = 'UpgradeError'
    this.code = code
  }
}

const LIMITS: UpgradeLimits = { readyMs: 30_000, adoptedMs: 10_000, servingMs: 30_000 }
const REFUSALS: Record<UpgradeRefusal, UpgradeError> = {
  starting: new UpgradeError('busy', 'the server is not up yet'),
  upgrading: new UpgradeError('busy', 'an upgrade is under way already'),
  stopping: new UpgradeError('stopping', 'the server is about to stop'),
}
/** The one that everybody's processes of a container end with. */
const FIRST_PROCESS = 1

interface Asked {
  resolve(report: UpgradeReport): void
  reject(error: UpgradeError): void
}

export class Upgrade {
  readonly #parts: UpgradeParts
  readonly #limits: UpgradeLimits
  /** Who has asked for the one that is under way. */
  #asked: Asked | undefined
  #heir: HeirProcess | undefined
  #report: UpgradeReport | undefined

  constructor(parts: UpgradeParts) {
    this.#parts = parts
    this.#limits = { ...LIMITS, ...parts.limits }
  }

  /** Asks for an upgrade; resolves when the new process serves and this one is about to end. Rejects with `UpgradeError` when all is as it was. */
  request(): Promise<UpgradeReport> {
    const asking = new Promise<UpgradeReport>((resolve, reject) => {
      if (process.pid === FIRST_PROCESS)
        return reject(
          new UpgradeError(
            'failed',
            'this process is the first of its container, which would end with it; start a new container',
          ),
        )
      let refused = false
      this.#parts.send({
        type: 'upgrade.requested',
        refuse: why => {
          refused = true
          reject(REFUSALS[why])
        },
      })
      if (!refused) this.#asked = { resolve, reject }
    })
    asking.catch((error: UpgradeError) => {
      this.#parts.log.warn({ event: 'upgrade.refused', code: error.code, why: error.message })
    })
    return asking
  }

  /** Starts the new process. Rejects with what keeps it from being ready; it is gone then. An abort ends it, too. */
  async prepare(signal: AbortSignal): Promise<void> {
    const { command, terms, log } = this.#parts
    log.info({ event: 'upgrade.preparing', command: command.join(' ') })
    const heir = await HeirProcess.start({ command, terms, readyMs: this.#limits.readyMs }, signal)
    if (signal.aborted) return heir.kill()
    this.#heir = heir
    log.info({ event: 'upgrade.ready', pid: heir.pid, version: heir.version })
  }

  /** Gives everything away. Rejects when this process serves on, and with `NobodyServes` when it cannot. */
  async handOver(): Promise<void> {
    const heir = this.#heir
    if (!heir) throw new Error('there is no process to hand over to')
    const resting = await this.#giveTo(heir)
    const pauseMs = since(resting.sinceMs)
    try {
      await heir.go(this.#limits.servingMs)
    } catch (error) {
      await heir.kill()
      throw new NobodyServes(`the new process did not serve: ${(error as Error).message}`, { cause: error })
    }
    const { version } = this.#parts
    const { moved, askedToLogInAgain, sinceMs } = resting
    this.#report = {
      from: { pid: process.pid, version },
      to: { pid: heir.pid, version: heir.version },
      moved,
      askedToLogInAgain,
      pauseMs,
      loginPauseMs: since(sinceMs),
    }
    this.#parts.log.info({ event: 'upgrade.done', ...this.#report })
  }

  /** Tells the new process to stop, which it may have been told already. */
  passStopOn(): void {
    this.#heir?.signal('SIGTERM')
  }

  /** Answers who asked; this process is about to end. */
  left(): void {
    this.#heir?.letGo()
    if (this.#report) this.#asked?.resolve(this.#report)
  }

  /** Answers who asked: this process serves on, or stops. */
  failed(error: unknown): void {
    this.#heir = undefined
    this.#asked?.reject(new UpgradeError('failed', (error as Error).message))
    this.#asked = undefined
  }

  /** Up to the point of no return: what fails here is undone, and told. */
  async #giveTo(heir: HeirProcess): Promise<Resting> {
    let resting: Resting | undefined
    try {
      resting = await this.#parts.rest()
      const { estate, descriptors } = resting
      await heir.give(estate, descriptors, this.#limits.adoptedMs)
      return resting
    } catch (error) {
      await heir.kill()
      try {
        await resting?.wake()
      } catch (fault) {
        throw new NobodyServes(`cannot go on after an upgrade that failed: ${(fault as Error).message}`, {
          cause: fault,
        })
      }
      throw error
    }
  }
}

function since(ms: number): number {
  return Math.round((performance.now() - ms) * 10) / 10
}
