/**
 * The way of a connection through its workers: a run ends with its worker's part, and goes on in that of the next one that it is given to, or that comes after a dead one. The actor has a
 * duplicate of the descriptor and closes that by itself.
 */
import { setImmediate } from 'node:timers/promises'
import type { ConnectionEnd, ConnectionTask } from '@scsipub/contract'
import { dup } from '@scsipub/posix'
import { closeOrphan, type HostedConnection, type Session } from './hosted-connection.js'
import type { Log } from './log.js'
import type { SessionPool } from './pool.js'
import type { WorkerLife } from './worker-life.js'

/** How a connection goes on; `end` rejects when its worker dies. */
export interface NextPart {
  readonly end: Promise<ConnectionEnd>
}

export interface ConnectionRunsParts {
  readonly pool: Pick<SessionPool, 'run' | 'usableWorkers' | 'untilUsable'>
  readonly log: Pick<Log, 'error'>
  /** How a connection goes on whose worker has died; undefined when it does not. Never rejects. */
  readonly afterDeath: (connection: HostedConnection, worker: WorkerLife) => Promise<NextPart | undefined>
  /** An actor of the session has thrown. */
  readonly onFault: (session: Session) => void
}

export class ConnectionRuns {
  readonly #parts: ConnectionRunsParts

  constructor(parts: ConnectionRunsParts) {
    this.#parts = parts
  }

  /** Runs the connection on `worker`, or on the one with the fewest, to its end; never rejects. */
  async run(
    connection: HostedConnection,
    task: Omit<ConnectionTask, 'fd'>,
    worker?: WorkerLife,
  ): Promise<ConnectionEnd> {
    const { pool } = this.#parts
    let handed: number | undefined
    try {
      if (pool.usableWorkers === 0) await pool.untilUsable()
      handed = dup(connection.fd)
      const run = pool.run({ ...task, fd: handed }, worker)
      if (!run) throw new Error('no session worker is there')
      connection.worker = run.worker
      return await this.#untilOver(connection, run.end)
    } catch (error) {
      if (handed !== undefined) closeOrphan(handed, connection.fd)
      return this.#failed(connection, error)
    } finally {
      connection.worker = undefined
    }
  }

  /** Follows a connection that runs already, and whose part there ends as `first` does, to its end; never rejects. */
  async follow(connection: HostedConnection, first: Promise<ConnectionEnd>): Promise<ConnectionEnd> {
    const end = await this.#untilOver(connection, first).catch((error: unknown) => this.#failed(connection, error))
    connection.worker = undefined
    return end
  }

  /** Goes on with a connection in a worker that has adopted it. The end of that is the end of the connection. */
  continueOn(connection: HostedConnection, worker: WorkerLife, fd: number): Promise<ConnectionEnd> {
    const { id: connectionId, localAddress, remoteAddress } = connection
    const run = this.#parts.pool.run({ connectionId, fd, localAddress, remoteAddress, adopted: true }, worker)
    if (run?.worker !== worker) throw new Error(`session worker ${worker.threadId} is gone`)
    connection.worker = worker
    return run.end.catch((error: unknown) => {
      closeOrphan(fd, connection.fd)
      throw error
    })
  }

  /** The end of a connection, in whichever worker that is. */
  async #untilOver(connection: HostedConnection, first: Promise<ConnectionEnd>): Promise<ConnectionEnd> {
    const { next } = connection
    for (let run = first; ; ) {
      try {
        const end = await run
        if (end.outcome !== 'handedOver') return end
      } catch (error) {
        if (!next[0]?.taken) {
          const following = await this.#afterDeath(connection)
          if (!following) throw error
          run = following.end
          continue
        }
      }
      const following = next.shift()
      if (!following) throw new Error('a connection was handed over to nobody')
      run = following.end
    }
  }

  async #afterDeath(connection: HostedConnection): Promise<NextPart | undefined> {
    await setImmediate() // the news of the run's end may come before those of the thread's
    const { worker } = connection
    return worker?.isGone ? this.#parts.afterDeath(connection, worker) : undefined
  }

  #failed({ session, remoteAddress, worker }: HostedConnection, error: unknown): ConnectionEnd {
    const { message, stack } = error as Error
    session.fault = message
    if (worker?.isGone) return { outcome: 'dropped', why: 'its session worker died' }
    this.#parts.onFault(session)
    this.#parts.log.error({ event: 'session.failed', sessionId: session.id, remote: remoteAddress, error: stack })
    return { outcome: 'dropped', why: `the session worker failed: ${message}` }
  }
}
