/**
 * The copy manager of a session: begins copies, answers them, and tells of them by list identifier. [SPC-4 §5.17, SBC-3 §4.28]
 *
 * A list identifier belongs to the nexus and the logical unit that the command went to, so nobody else's copies are seen. What is known of
 * an ended copy is kept until its identifier is used again, the unit is reset, or newer ones need the room.
 *
 * A copy is one task whose I/O is the whole job: who aborts it waits for the piece that is under way. With IMMED the command is answered first, and the copy
 * goes on as a task with a tag that no initiator can name, which counts among the immediate ones.
 */
import type { CopiesRecord, CopyReportRecord } from '@scsipub/contract'
import {
  type CopyJob,
  type CopyReport,
  checkCondition,
  copyStatus,
  dataIn,
  failureDetails,
  MAX_CONCURRENT_COPIES,
  type Outcome,
  rodTokenInformation,
  senseCodes,
  status,
} from '@scsipub/scsi'
import type { Command } from './command.js'
import { CopyFailed } from './copy-failure.js'
import { CopyRun } from './copy-run.js'
import { extendedCopy } from './extended-copy.js'
import type { FullFeature } from './full-feature.js'
import type { Lun } from './lun.js'
import { mediumSense } from './medium-sense.js'
import { respond, respondSense } from './scsi-response.js'
import { populateToken, writeUsingToken } from './token-copy.js'
import type { TokenFiles } from './token-files.js'
import { TokenStore } from './token-store.js'

/** A copy of which can be asked: one that runs, or that has ended, in this or another worker. */
interface Known {
  readonly lun: object
  readonly running: boolean
  report(): CopyReport
}

/** Ended copies that are remembered. */
const MAX_REMEMBERED = 64

export class CopyManager {
  readonly #luns: ReadonlyMap<number, Lun>
  readonly #store: TokenStore
  readonly #changed: () => void
  readonly #running = new Set<CopyRun>()
  /** By unit, kind and list identifier; the latest last. */
  readonly #listed = new Map<string, Known>()
  #backgroundTag = 0

  /** `changed` is called after each change of what `record` tells, but for what happens while a copy runs, which counts when that ends. */
  constructor(luns: ReadonlyMap<number, Lun>, files: TokenFiles, changed: () => void) {
    this.#luns = luns
    this.#changed = changed
    this.#store = new TokenStore(files, changed)
  }

  /** Whether a copy is under way, answered or not. */
  get busy(): boolean {
    return this.#running.size > 0
  }

  /** Begins a copy, and answers the command when it has ended, or at once when it asks for that. */
  begin(phase: FullFeature, command: Command, job: CopyJob): void {
    const lun = command.lun!
    const key = keyOf(lun, job.kind === 'extendedCopy' ? 'short' : 'long', job.listIdentifier)
    if (job.listIdentifier !== undefined && this.#listed.get(key)?.running)
      return respondSense(phase, command, { code: senseCodes.operationInProgress }, job.listBytes)
    if (this.#running.size >= MAX_CONCURRENT_COPIES) return respond(phase, command, status.busy, job.listBytes)
    const task = phase.tasks.instant(job.immediate ? this.#background(command) : command)
    const run = new CopyRun(lun, job, task)
    this.#running.add(run)
    if (job.listIdentifier !== undefined) this.#remember(key, run)
    phase.tasks.during(
      task,
      this.#carryOut(run).finally(() => {
        this.#running.delete(run)
        this.#changed()
      }),
      () => ended(phase, run),
      error => ended(phase, run, failure(error)),
    )
    if (job.immediate) respond(phase, command, status.good, job.listBytes)
  }

  /** What another worker needs; no copy may be running. */
  record(): CopiesRecord {
    const ended = [...this.#listed].flatMap(([key, known]) => {
      const lun = this.#numberOf(known.lun)
      return lun === undefined ? [] : [{ key, lun, report: compactReport(known.report()) }]
    })
    return { backgroundTag: this.#backgroundTag, ended, ...this.#store.record(unit => this.#numberOf(unit)) }
  }

  restore({ backgroundTag, ended, tokens, lost }: CopiesRecord): void {
    this.#backgroundTag = backgroundTag
    for (const { key, lun, report } of ended) {
      const { sense, token } = report
      const whole = { ...report, sense: sense && Buffer.from(sense), token: token && Buffer.from(token) }
      this.#listed.set(key, { lun: this.#luns.get(lun) ?? {}, running: false, report: () => whole })
    }
    this.#store.restore({ tokens, lost }, lun => this.#luns.get(lun ?? -1) ?? {})
  }

  #numberOf(unit: object): number | undefined {
    for (const lun of this.#luns.values()) if (lun === unit) return lun.lun
    return undefined
  }

  /** The parameter data that tells of a copy of this session on `lun`. */
  results(
    lun: Lun,
    { what, listIdentifier, allocationLength, field }: Extract<Outcome, { kind: 'copyResults' }>,
  ): Outcome {
    const run = this.#listed.get(keyOf(lun, what === 'token' ? 'long' : 'short', listIdentifier))
    if (!run || (what === 'failure' && run.running)) return checkCondition(senseCodes.invalidFieldInCdb, { field })
    const report = run.report()
    if (what === 'token') return dataIn(rodTokenInformation(report), allocationLength)
    return dataIn(what === 'status' ? copyStatus(report) : failureDetails(report), allocationLength)
  }

  /**
   * A unit is reset. Copies of its own tasks have been aborted; those that others asked for fail, and what is known of ended ones is forgotten.
   * Returns the I/O that is under way for them.
   */
  unitReset(lun: Lun): Promise<void>[] {
    for (const [key, run] of this.#listed) if (run.lun === lun && !run.running) this.#listed.delete(key)
    this.#changed()
    const others = [...this.#running].filter(run => run.lun !== lun && run.uses(lun))
    for (const run of others) run.interrupt()
    return others.flatMap(({ task }) => (task.pending ? [task.pending] : []))
  }

  /** A unit goes. Its own copies have been ended; those that use it fail. Returns the I/O that is under way for them. */
  unitGone(lun: Lun): Promise<void>[] {
    const users = [...this.#running].filter(run => run.lun !== lun && run.uses(lun))
    for (const run of users) run.interrupt()
    return users.flatMap(({ task }) => (task.pending ? [task.pending] : []))
  }

  /** The unit has gone: nothing is known any more of its copies, nor of the tokens for its data. Another one may have its number. */
  forget(lun: Lun): Promise<void> {
    for (const [key, run] of this.#listed) if (run.lun === lun) this.#listed.delete(key)
    this.#changed()
    return this.#store.cancel(lun)
  }

  /** Leaves all to another worker. No copy may be running. */
  leaveBehind(): void {
    this.#store.leaveBehind()
  }

  /** Gives up what the session holds. No copy may be running. */
  close(): Promise<void> {
    return this.#store.close()
  }

  async #carryOut(run: CopyRun): Promise<void> {
    switch (run.job.kind) {
      case 'extendedCopy':
        return extendedCopy(run, run.job, this.#luns)
      case 'populateToken':
        return populateToken(run, run.job, this.#store)
      case 'writeUsingToken':
        return writeUsingToken(run, run.job, this.#store, this.#luns)
    }
  }

  #background(command: Command): Command {
    this.#backgroundTag--
    return { ...command, initiatorTaskTag: this.#backgroundTag, immediate: true, kept: false }
  }

  #remember(key: string, run: CopyRun): void {
    this.#listed.delete(key)
    this.#listed.set(key, run)
    for (const [old, { running }] of this.#listed) {
      if (this.#listed.size <= MAX_REMEMBERED) return
      if (!running) this.#listed.delete(old)
    }
  }
}

/** Whether the command was answered when its copy began; its tag is none that an initiator can name. */
export function isBackground({ initiatorTaskTag }: Command): boolean {
  return initiatorTaskTag < 0
}

function ended(phase: FullFeature, run: CopyRun, failed?: CopyFailed): void {
  const { command } = run.task
  run.end(failed)
  if (run.job.immediate) phase.tasks.close(command)
  else if (failed) respondSense(phase, command, failed.sense, run.job.listBytes)
  else respond(phase, command, status.good, run.job.listBytes)
}

/** One-byte and four-byte list identifiers are told apart. */
function keyOf(lun: Lun, length: 'short' | 'long', listIdentifier: number | undefined): string {
  return `${lun.lun} ${length} ${listIdentifier}`
}

/** Bytes in memory of their own, so that no more than they travels. */
function compactReport({ sense, token, ...rest }: CopyReport): CopyReportRecord {
  return { ...rest, sense: sense && new Uint8Array(sense), token: token && new Uint8Array(token) }
}

function failure(error: unknown): CopyFailed {
  return error instanceof CopyFailed ? error : new CopyFailed(mediumSense(error))
}
