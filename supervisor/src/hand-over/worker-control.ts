/** Where sessions are and how they go elsewhere, for whoever starts the server: worker threads by number, sessions by theirs. */
import type { Log } from '../log.js'
import type { SessionPool } from '../pool.js'
import type { SessionHost } from '../session-host.js'
import type { WorkerLife } from '../worker-life.js'
import { type MoveResult, moveSession } from './session-move.js'
import { type Replacement, type ReplacementLimits, replaceWorker } from './worker-replacement.js'

export interface WorkerControlParts {
  readonly pools: () => SessionPool
  readonly hosts: () => SessionHost
  readonly log: Log
  readonly limits: Partial<ReplacementLimits>
  /** Whether the server is about to stop, and nothing should be moved any more. */
  readonly stopping: () => boolean
}

/** How long a session that is moved by itself may be kept waiting. */
const MOVE_BOUND_MS = 1_000

export class WorkerControl {
  readonly #parts: WorkerControlParts

  constructor(parts: WorkerControlParts) {
    this.#parts = parts
  }

  /** Threads of the session workers. */
  get threadIds(): number[] {
    return this.#parts.pools().workers.map(({ threadId }) => threadId)
  }

  /** Sessions that are in that worker, with those that are about to log in. */
  sessionsOn(threadId: number): number[] {
    const worker = this.#find(threadId)
    return this.#parts
      .hosts()
      .sessionsOn(worker)
      .map(({ id }) => id)
  }

  /** Moves a session, see `moveSession`. Rejects when there is no such session or worker. */
  async move(sessionId: number, threadId: number, boundMs = MOVE_BOUND_MS): Promise<MoveResult> {
    const { pools, hosts, log } = this.#parts
    const session = hosts().session(sessionId)
    if (!session) throw new Error(`there is no session ${sessionId}`)
    return moveSession(session, this.#find(threadId), { host: hosts(), pool: pools(), log, boundMs })
  }

  /** Replaces a worker, see `replaceWorker`. */
  readonly replace = (worker: WorkerLife): Promise<Replacement> => {
    const { pools, hosts, log, limits, stopping } = this.#parts
    return replaceWorker(worker, { pool: pools(), host: hosts(), log, limits, stopping })
  }

  /** As `replace`. Rejects when there is no worker of that thread. */
  async replaceThread(threadId: number): Promise<Replacement> {
    return this.replace(this.#find(threadId))
  }

  #find(threadId: number): WorkerLife {
    const found = this.#parts.pools().workers.find(worker => worker.threadId === threadId)
    if (!found) throw new Error(`there is no session worker ${threadId}`)
    return found
  }
}
