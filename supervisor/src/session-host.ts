/**
 * The sessions that there are, from the accepted connection to the end of its run. Kept small: thousands of them are idle.
 *
 * Of each connection the supervisor holds a descriptor of its own, as a bare number: it never reads it, and while it is
 * open the connection outlives the worker. The actor has a duplicate and closes that by itself; each side closes only its own.
 *
 * Left out: giving the connection of a dead worker to another one.
 */
import { closeSync, fstatSync } from 'node:fs'
import type { SessionEnd } from '@scsipub/contract'
import { dup, shutdown } from '@scsipub/posix'
import type { Log } from './log.js'
import type { Sessions } from './nexus-registry.js'
import type { SessionPool } from './pool.js'
import type { WorkerLife } from './worker-life.js'

export interface Session {
  readonly id: number
  /** Ours. */
  readonly fd: number
  /** As the kernel has them: the peer's for caps, both as text for logs and listings. */
  readonly peerAddress: string
  readonly remoteAddress: string
  worker: WorkerLife | undefined
  /** Set by a login that has succeeded, for the log. */
  login: { readonly initiator: string; readonly target: string; readonly tsih: number } | undefined
  /** Counted as a session of its party. */
  admitted: boolean
  /** Volumes that end with the session. */
  volumeIds: readonly string[]
  /** Who waits for the end. */
  waiting: (() => void)[] | undefined
}

export interface Accepted {
  readonly fd: number
  readonly peerAddress: string
  readonly remoteAddress: string
  readonly localAddress: string
}

/** How long a session may take to end when it is told to, and after its connection has been cut. */
export interface EndLimits {
  readonly toldMs: number
  readonly cutMs: number
}

const MAX_SESSION_ID = 0xffffffff

export class SessionHost implements Sessions {
  readonly #pool: SessionPool
  readonly #log: Log
  readonly #limits: EndLimits
  readonly #onEnd: (session: Session) => void
  readonly #sessions = new Map<number, Session>()
  #lastId = 0
  #whenEmpty: (() => void) | undefined

  constructor({
    pool,
    log,
    limits,
    onEnd,
  }: { pool: SessionPool; log: Log; limits: EndLimits; onEnd: (session: Session) => void }) {
    this.#pool = pool
    this.#log = log
    this.#limits = limits
    this.#onEnd = onEnd
  }

  get size(): number {
    return this.#sessions.size
  }

  get(sessionId: number): Session | undefined {
    return this.#sessions.get(sessionId)
  }

  isLive(sessionId: number): boolean {
    return this.#sessions.has(sessionId)
  }

  /** Runs a session on a connection whose descriptor becomes the host's; settles, never rejects, when it has ended. */
  async host({ fd, peerAddress, remoteAddress, localAddress }: Accepted): Promise<void> {
    const id = this.#nextId()
    const session: Session = {
      id,
      fd,
      peerAddress,
      remoteAddress,
      worker: undefined,
      login: undefined,
      admitted: false,
      volumeIds: [],
      waiting: undefined,
    }
    this.#sessions.set(id, session)
    let handed: number | undefined
    let end: SessionEnd
    try {
      if (this.#pool.usableWorkers === 0) await this.#pool.untilUsable()
      handed = dup(fd)
      const run = this.#pool.run({ sessionId: id, fd: handed, localAddress, remoteAddress })
      if (!run) throw new Error('no session worker is there')
      session.worker = run.worker
      end = await run.end
    } catch (error) {
      end = { outcome: 'dropped', why: `the session worker failed: ${(error as Error).message}` }
      this.#log.error({
        event: 'session.failed',
        sessionId: id,
        remote: remoteAddress,
        error: (error as Error).stack,
      })
      if (handed !== undefined) closeOrphan(handed, fd)
    }
    this.#over(session, end)
  }

  /** [7143 §6.3.5] wants the old session ended before the new one is answered; a session that will not end is cut off. */
  async end(sessionId: number, outcome: 'reinstated' | 'dropped', why: string): Promise<boolean> {
    const session = this.#sessions.get(sessionId)
    if (!session) return true
    session.worker?.tell({ kind: 'session.end', sessionId, outcome, why })
    if (await this.#endsWithin(session, this.#limits.toldMs)) return true
    this.#log.warn({ event: 'session.cut', sessionId, why })
    shutdown(session.fd)
    return this.#endsWithin(session, this.#limits.cutMs)
  }

  /** Ends every connection at once, for sessions that would not end by themselves. */
  cutAll(): void {
    for (const session of this.#sessions.values()) shutdown(session.fd)
  }

  /** Settles when no session is left. */
  async untilEmpty(): Promise<void> {
    if (this.#sessions.size > 0) await new Promise<void>(resolve => (this.#whenEmpty = resolve))
  }

  #over(session: Session, { outcome, why }: SessionEnd): void {
    this.#sessions.delete(session.id)
    closeSync(session.fd)
    const line = {
      event: 'session.ended',
      sessionId: session.id,
      ...session.login,
      remote: session.remoteAddress,
      outcome,
      why,
    }
    if (session.login) this.#log.info(line)
    else this.#log.debug(line)
    this.#onEnd(session)
    for (const wake of session.waiting ?? []) wake()
    if (this.#sessions.size === 0) this.#whenEmpty?.()
  }

  #endsWithin(session: Session, ms: number): Promise<boolean> {
    if (!this.isLive(session.id)) return Promise.resolve(true)
    return new Promise(resolve => {
      const timer = setTimeout(() => resolve(false), ms)
      session.waiting ??= []
      session.waiting.push(() => {
        clearTimeout(timer)
        resolve(true)
      })
    })
  }

  #nextId(): number {
    do this.#lastId = (this.#lastId % MAX_SESSION_ID) + 1
    while (this.#sessions.has(this.#lastId))
    return this.#lastId
  }
}

/**
 * Closes a duplicate that a worker may have died without taking. Its thread is gone, so whatever it had open is closed; if
 * the number still means this very socket, nobody else will close it. Another socket under that number has another inode.
 */
function closeOrphan(handed: number, held: number): void {
  try {
    const [orphan, own] = [fstatSync(handed), fstatSync(held)]
    if (orphan.ino === own.ino && orphan.dev === own.dev) closeSync(handed)
  } catch {
    // EBADF: the worker has closed it.
  }
}
