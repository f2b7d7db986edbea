/**
 * One copy of a session, from its parameter list to whatever is asked about it later: how far it is, and whether it may go on. The work
 * is done piece by piece in `extended-copy.ts` and `token-copy.ts`, which stop before a piece when the task was aborted.
 */
import { setImmediate } from 'node:timers/promises'
import { type CopyJob, type CopyReport, type CopyState, designates, encodeSense, senseCodes } from '@scsipub/scsi'
import type { Task } from './command.js'
import { CopyFailed } from './copy-failure.js'
import type { Lun } from './lun.js'

/** What one copy holds in memory, and how long it keeps the others waiting. */
export const PIECE_BYTES = 256 << 10

const SERVICE_ACTION = { extendedCopy: 0x00, populateToken: 0x10, writeUsingToken: 0x11 } as const

/** What a copy needs of a LUN. */
export type CopyUnit = Pick<Lun, 'lun' | 'lu' | 'volume' | 'volumeId'>

export class CopyRun {
  readonly lun: CopyUnit
  readonly job: CopyJob
  readonly task: Task
  /** Segments done, of an EXTENDED COPY. */
  segmentsProcessed = 0
  /** What a POPULATE TOKEN made; told once it has ended well. */
  token: Buffer | undefined
  #ended: 'good' | 'failed' | undefined
  #sense: Buffer | undefined
  #bytes = 0
  #operations = 0
  #interrupted = false

  constructor(lun: CopyUnit, job: CopyJob, task: Task) {
    this.lun = lun
    this.job = job
    this.task = task
  }

  /** Whether something is still done for it. */
  get running(): boolean {
    return this.#ended === undefined && !this.task.aborted
  }

  /** Lets others have the thread, then throws `CopyFailed` if the copy must not go on. */
  async turn(segment?: number): Promise<void> {
    await setImmediate()
    if (!this.task.aborted && !this.#interrupted) return
    throw new CopyFailed({
      code: senseCodes.thirdPartyDeviceFailure,
      ...(segment === undefined ? {} : { copy: { segment } }),
    })
  }

  /** One piece has been copied. */
  count(bytes: number): void {
    this.#bytes += bytes
    this.#operations++
  }

  /** Whether it may read or write the unit on behalf of another one. */
  uses(lun: CopyUnit): boolean {
    return this.job.kind === 'extendedCopy' && this.job.units.some(unit => designates(unit.designation, lun.lu))
  }

  /** A unit that it uses was reset: it fails before the next piece. */
  interrupt(): void {
    this.#interrupted = true
  }

  /** It is over; with `failure`, it ended early. */
  end(failure?: CopyFailed): void {
    this.#ended = failure ? 'failed' : 'good'
    if (failure && failure.sense !== 'reservationConflict') this.#sense = encodeSense(failure.sense, 'fixed')
  }

  report(): CopyReport {
    return {
      state: this.#state(),
      serviceAction: SERVICE_ACTION[this.job.kind],
      segmentsProcessed: this.segmentsProcessed,
      bytes: this.#bytes,
      operations: this.#operations,
      sense: this.#sense,
      token: this.#ended === 'good' ? this.token : undefined,
      blockBytes: this.lun.lu.blockBytes,
    }
  }

  #state(): CopyState {
    if (this.#ended) return this.#ended
    if (this.task.aborted) return 'terminated'
    return this.job.immediate ? 'inBackground' : 'inForeground'
  }
}
