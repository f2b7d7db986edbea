/**
 * Planned restarts of session workers: one restart at a time, one worker at a time, asked for by the operator or by a reason of our own (`memory-watch.ts`,
 * `restart-schedule.ts`). What happens to the sessions of a worker is `hand-over/`; here is who may restart what, and what is told of it.
 *
 * A worker whose successor cannot start goes on serving, and the restart ends there: what one thread cannot have now (memory, descriptors), the
 * next one will not have either.
 */
import type { Replacement } from '../hand-over/worker-replacement.js'
import type { Log } from '../log.js'
import { type PauseSummary, Pauses, summaryOfPauses } from './pauses.js'
import { RestartError } from './restart-error.js'
import type { RosterWorker, WorkerRoster } from './worker-roster.js'

/** Who wants it. */
export type RestartReason = 'asked' | 'memory' | 'schedule'

/** What came of a restart: sessions that moved, sessions that were lost, and how long those that moved were not served. */
export interface RestartReport {
  readonly moved: number
  readonly dropped: number
  readonly pauseMs: PauseSummary
}

/** Since the start of the server. */
export interface RestartTotals {
  /** Workers that were replaced, by reason. */
  readonly workers: Readonly<Record<RestartReason, number>>
  readonly failed: number
  readonly moved: number
  readonly dropped: number
  readonly pauses: Pauses
}

export interface RestartsParts<W extends RosterWorker> {
  readonly roster: WorkerRoster<W>
  /** Replaces one worker; rejects, with everything as it was, when no other one can be started. */
  readonly replace: (worker: W) => Promise<Replacement>
  readonly log: Pick<Log, 'info' | 'warn'>
}

export class Restarts<W extends RosterWorker = RosterWorker> {
  readonly #parts: RestartsParts<W>
  readonly #totals = { workers: { asked: 0, memory: 0, schedule: 0 }, failed: 0, moved: 0, dropped: 0 }
  readonly #pauses = new Pauses()
  /** Numbers of the workers that are still to be restarted, the one under way first. */
  #running: number[] | undefined
  #whenOver: Promise<unknown> = Promise.resolve()
  #stopped = false

  constructor(parts: RestartsParts<W>) {
    this.#parts = parts
  }

  /** Numbers of the workers that are being restarted or wait for it; undefined when there is no restart. */
  get running(): readonly number[] | undefined {
    return this.#running
  }

  get totals(): RestartTotals {
    return { ...this.#totals, pauses: this.#pauses }
  }

  /**
   * Restarts the worker of that number, or all of them one after the other. Resolves when it is done.
   * @throws RestartError
   */
  async restart({ worker, reason }: { worker?: number; reason: RestartReason }): Promise<RestartReport> {
    const { roster } = this.#parts
    if (this.#stopped) throw stopping()
    if (worker !== undefined && !roster.place(worker)) {
      const last = roster.places.length - 1
      throw new RestartError('worker-unknown', `there is no worker ${worker}; there are 0 to ${last}`)
    }
    if (this.#running) {
      const which = this.#running[0] ?? 0
      throw new RestartError('restart-running', `a restart is under way, at worker ${which}; wait until it is over`)
    }
    this.#running = worker === undefined ? roster.places.map(({ number }) => number) : [worker]
    const over = this.#run(this.#running, reason)
    this.#whenOver = over.catch(() => {})
    try {
      return await over
    } finally {
      this.#running = undefined
    }
  }

  /** The server stops: the worker whose restart is under way is the last one. Settles when that is over. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#whenOver
  }

  async #run(left: number[], reason: RestartReason): Promise<RestartReport> {
    const { log } = this.#parts
    const workers = [...left]
    log.info({ event: 'restart.began', workers, reason })
    const sum = { moved: 0, dropped: 0, pausesMs: [] as number[] }
    while (left.length > 0) {
      const number = left[0] ?? 0
      try {
        if (this.#stopped) throw stopping()
        const { moved, dropped, pausesMs } = await this.#one(number, reason)
        sum.moved += moved
        sum.dropped += dropped
        for (const pause of pausesMs) sum.pausesMs.push(pause)
      } catch (error) {
        const done = workers.length - left.length
        const fault = asFault(this.#stopped ? stopping() : error, number, done)
        this.#totals.failed++
        log.warn({ event: 'restart.failed', worker: number, reason, code: fault.code, why: fault.message })
        throw fault
      }
      left.shift()
    }
    const report = { moved: sum.moved, dropped: sum.dropped, pauseMs: summaryOfPauses(sum.pausesMs) }
    log.info({ event: 'restart.done', workers, reason, ...report })
    return report
  }

  async #one(number: number, reason: RestartReason): Promise<Replacement> {
    const { roster, replace, log } = this.#parts
    const worker = roster.place(number)?.worker
    // It has just died: another one is on its way, and is as new as can be.
    if (!worker) return { moved: 0, dropped: 0, pausesMs: [] }
    const done = await replace(worker)
    // One that has died meanwhile was not restarted as planned.
    if (worker.removed) this.#totals.workers[reason]++
    this.#totals.moved += done.moved
    this.#totals.dropped += done.dropped
    this.#pauses.add(done.pausesMs)
    const { moved, dropped, pausesMs } = done
    log.info({
      event: 'worker.restarted',
      worker: number,
      reason,
      moved,
      dropped,
      pauseMs: summaryOfPauses(pausesMs),
    })
    return done
  }
}

function stopping(): RestartError {
  return new RestartError('stopping', 'the server is about to stop')
}

/** What the operator is told; `before`: workers of the same restart that are done. */
function asFault(error: unknown, number: number, before: number): RestartError {
  const done = before === 0 ? '' : ` (${before} restarted before it)`
  if (error instanceof RestartError) return new RestartError(error.code, `${error.message}${done}`)
  const why = error instanceof Error ? error.message : String(error)
  return new RestartError('worker-cannot-start', `worker ${number} goes on as it was: ${why}${done}`, { cause: error })
}
