/**
 * Replaces one session worker by a new one: the new thread is up before the first session moves, so that no session waits for a thread to boot; then the sessions move,
 * one after the other (two at a time take as long in all, and each of them twice as long), then the old thread ends and its slot is free.
 *
 * While it goes on, new connections go to other workers. What is busy for longer than a pause may last (a copy, a disk that does not answer) stays where it is and is
 * tried again; what is still busy at the deadline is closed. When the new thread cannot start, the old one goes on as before.
 */
import { setTimeout } from 'node:timers/promises'
import type { Session } from '../hosted-connection.js'
import type { Log } from '../log.js'
import type { SessionPool } from '../pool.js'
import type { SessionHost } from '../session-host.js'
import type { WorkerLife } from '../worker-life.js'
import { moveSession } from './session-move.js'

export interface ReplacementParts {
  readonly pool: Pick<SessionPool, 'add' | 'remove' | 'keep' | 'workers'>
  readonly host: Pick<SessionHost, 'unitOf' | 'continueOn' | 'sessionsOn' | 'end' | 'isLive'>
  readonly log: Pick<Log, 'info' | 'warn' | 'debug'>
  readonly limits?: Partial<ReplacementLimits>
  /** Whether the server is about to stop, and nothing should be moved any more. */
  readonly stopping?: () => boolean
}

export interface ReplacementLimits {
  /** How long a session may be kept waiting at one try. */
  readonly boundMs: number
  /** How long it is tried. */
  readonly deadlineMs: number
}

/** What came of the sessions. `pausesMs`: each time that one of them was not served, for how long. */
export interface Replacement {
  readonly moved: number
  readonly dropped: number
  readonly pausesMs: readonly number[]
}

const LIMITS: ReplacementLimits = { boundMs: 150, deadlineMs: 10 * 60_000 }
const FIRST_REST_MS = 50
const LONGEST_REST_MS = 2_000

/**
 * Resolves when the old thread is gone.
 * @throws Error, with a line for the operator, when no new thread can be started, or the worker is being replaced already; everything is as it was then
 */
export async function replaceWorker(worker: WorkerLife, parts: ReplacementParts): Promise<Replacement> {
  const { pool, log } = parts
  if (worker.retiring) throw new Error(`worker ${worker.threadId} is being replaced already`)
  if (parts.stopping?.()) throw new Error('the server is about to stop')
  worker.retiring = true
  let next: WorkerLife
  try {
    next = await pool.add()
  } catch (error) {
    pool.keep(worker)
    throw error
  }
  const replacement = new Emptying(worker, next, parts)
  if (!(await replacement.run())) {
    worker.retiring = false
    throw new Error('the server is about to stop')
  }
  await pool.remove(worker)
  const { moved, dropped, pausesMs } = replacement
  log.info({ event: 'worker.replaced', threadId: worker.threadId, by: next.threadId, moved, dropped })
  return { moved, dropped, pausesMs }
}

class Emptying {
  readonly pausesMs: number[] = []
  moved = 0
  dropped = 0
  readonly #from: WorkerLife
  readonly #to: WorkerLife
  readonly #parts: ReplacementParts
  readonly #limits: ReplacementLimits

  constructor(from: WorkerLife, to: WorkerLife, parts: ReplacementParts) {
    this.#from = from
    this.#to = to
    this.#parts = parts
    this.#limits = { ...LIMITS, ...parts.limits }
  }

  /** Resolves with true when nothing is left in the worker, with false when the server stops meanwhile. */
  async run(): Promise<boolean> {
    const { host, stopping } = this.#parts
    const endMs = performance.now() + this.#limits.deadlineMs
    let restMs = FIRST_REST_MS
    for (;;) {
      const sessions = host.sessionsOn(this.#from)
      if (sessions.length === 0) return true
      if (stopping?.()) return false
      if (performance.now() > endMs) {
        await Promise.all(sessions.map(session => this.#drop(session)))
        return true
      }
      const movedBefore = this.moved
      await this.#round(sessions)
      if (this.moved > movedBefore) restMs = FIRST_REST_MS
      if (host.sessionsOn(this.#from).length === 0) return true
      await setTimeout(restMs)
      restMs = Math.min(2 * restMs, LONGEST_REST_MS)
    }
  }

  async #round(sessions: Session[]): Promise<void> {
    for (const session of sessions) {
      if (this.#parts.stopping?.()) return
      await this.#move(session)
    }
  }

  async #move(session: Session): Promise<void> {
    const { log, host } = this.#parts
    if (session.moving !== undefined || !host.isLive(session.id)) return
    const { outcome, why, pauseMs } = await moveSession(session, this.#to, { ...this.#parts, ...this.#limits })
    this.pausesMs.push(pauseMs)
    if (outcome === 'moved') this.moved++
    if (outcome === 'dropped') this.dropped++
    const line = { event: `session.${outcome}`, sessionId: session.id, threadId: this.#to.threadId, pauseMs, why }
    if (outcome === 'dropped') log.warn(line)
    else log.debug(line)
  }

  async #drop(session: Session): Promise<void> {
    this.dropped++
    const why = `it was busy for ${this.#limits.deadlineMs} ms while its worker had to be replaced`
    session.fault ??= why
    this.#parts.log.warn({ event: 'session.dropped', sessionId: session.id, why })
    await this.#parts.host.end(session.id, 'dropped', why)
  }
}
