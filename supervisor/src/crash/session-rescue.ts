/**
 * What becomes of the sessions of a worker that has died. Those that were at rest go on in another worker, on the same TCP connection, which the supervisor has kept open; the
 * others end, and their initiators log in again.
 *
 *   supervisor                            storage engine                       another worker
 *   bury: who was at rest?
 *   worker.detach { kept } ─────────────▶ keeps what those hold of units, and their notices
 *   session.adopt ───────────────────────────────────────────────────────────▶ puts them together
 *   worker.orphans ─────────────────────▶ what was said meanwhile
 *   session.go ──────────────────────────────────────────────────────────────▶ goes on
 *
 * The record comes from shared memory and from what the worker had told (`Standings`), and is taken over like that of a planned move (`hand-over/adopt-session.ts`).
 */
import type { ConnectionEnd, SessionRecord } from '@scsipub/contract'
import type { NextPart } from '../connection-runs.js'
import type { Engine } from '../engine.js'
import { type Adopted, abandon, adoptSession } from '../hand-over/adopt-session.js'
import { nextMoveId } from '../hand-over/session-move.js'
import type { HostedConnection, Session } from '../hosted-connection.js'
import type { Log } from '../log.js'
import type { SessionPool } from '../pool.js'
import type { SessionHost } from '../session-host.js'
import { settledWithin } from '../settled-within.js'
import type { WorkerLife } from '../worker-life.js'
import type { LastWord, Standings } from './standings.js'

export interface RescueParts {
  readonly hosts: () => Pick<SessionHost, 'sessionsOn' | 'continueOn'>
  readonly pools: () => Pick<SessionPool, 'leastLoaded' | 'untilUsable'>
  /** Once it is there. */
  readonly engine: () => Promise<Pick<Engine, 'ask' | 'detach'>>
  readonly standings: Standings
  readonly log: Pick<Log, 'info' | 'warn'>
  /** These sessions had to do with the worker's death, as far as one can tell. */
  readonly blame: (sessions: readonly Session[], why: string) => void
  /** The server is about to stop: what is lost is lost. */
  readonly stopping: () => boolean
}

/** How long sessions may wait for a worker; initiators ask after some 10 s whether anybody is there. */
const PATIENCE_MS = 8_000

interface Survivor {
  readonly session: Session
  readonly connections: readonly HostedConnection[]
  readonly record: SessionRecord
  readonly controls: Extract<LastWord, { record: unknown }>['controls']
  /** Who waits for the session to be at rest again. */
  readonly over: () => void
}

/** How a connection goes on; it rejects when it does not. */
type Ends = ReadonlyMap<number, Promise<ConnectionEnd>>

interface Burial {
  readonly survivors: readonly Survivor[]
  readonly lost: number
  readonly beganMs: number
  readonly orphans: number
  ends: Promise<Ends> | undefined
}

export class SessionRescue {
  readonly #parts: RescueParts
  readonly #burials = new WeakMap<WorkerLife, Burial>()

  constructor(parts: RescueParts) {
    this.#parts = parts
  }

  /** The thread is gone: finds out who can go on, and has the engine forget the rest. */
  async bury(worker: WorkerLife): Promise<void> {
    const { engine, hosts, log } = this.#parts
    const beganMs = performance.now()
    const sessions = hosts().sessionsOn(worker)
    const survivors = this.#parts.stopping() ? [] : this.#survivors(worker, sessions)
    const kept = survivors.map(({ session }) => session.id)
    try {
      const { orphans } = await (await engine()).detach(worker.slot, kept)
      const lost = sessions.length - survivors.length
      this.#burials.set(worker, { survivors, lost, beganMs, orphans, ends: undefined })
    } catch (error) {
      for (const { over } of survivors) over()
      log.warn({ event: 'sessions.lost', threadId: worker.threadId, sessions: sessions.length, why: String(error) })
      throw error
    }
  }

  /** How the connection goes on, whose worker is gone; undefined when it does not. Never rejects. */
  async next(connection: HostedConnection, worker: WorkerLife): Promise<NextPart | undefined> {
    await worker.buried
    const burial = this.#burials.get(worker)
    if (!burial) return undefined
    burial.ends ??= this.#carryOn(worker, burial)
    const end = (await burial.ends).get(connection.id)
    return end && { end }
  }

  /** From here on nobody else touches the survivors until they have come to rest. */
  #survivors(worker: WorkerLife, sessions: readonly Session[]): Survivor[] {
    const { standings, blame, log } = this.#parts
    const survivors: Survivor[] = []
    const guilty: Session[] = []
    const busy: Session[] = []
    for (const session of sessions) {
      // One that is on its way has its record elsewhere.
      if (session.moving || !session.login) continue
      // One that somebody wants to end does.
      if (session.waiting) continue
      const connections = [...session.connections]
      const word = standings.lastWord(session, connections, worker)
      if ('record' in word) {
        survivors.push({ session, connections, ...word, over: hold(session) })
        continue
      }
      busy.push(session)
      if (word.guilty) guilty.push(session)
      log.info({ event: 'session.lost', sessionId: session.id, ...session.login, why: word.lost })
    }
    blame(guilty.length > 0 ? guilty : busy, `session worker ${worker.threadId} died`)
    return survivors
  }

  async #carryOn(worker: WorkerLife, { survivors, lost, beganMs, orphans }: Burial): Promise<Ends> {
    const ends = new Map<number, Promise<ConnectionEnd>>()
    if (survivors.length === 0) return ends
    const { log, engine } = this.#parts
    const adopted = await Promise.all(survivors.map(survivor => this.#adopt(survivor)))
    for (const [index, { connections }] of survivors.entries())
      for (const [at, end] of (adopted[index]?.ends ?? []).entries()) ends.set(connections[at]!.id, end)
    const failed = survivors.filter((_, index) => !adopted[index]).map(({ session }) => session.id)
    let why: string | undefined
    try {
      const { notices } = await (await engine()).ask({ kind: 'worker.orphans', orphans, lost: failed })
      await Promise.all(adopted.map(one => one?.go(notices)))
    } catch (error) {
      why = (error as Error).message
      for (const { connections } of survivors) abandon(connections, why)
    }
    for (const { over } of survivors) over()
    const moved = why === undefined ? survivors.length - failed.length : 0
    const line = { event: 'sessions.recovered', threadId: worker.threadId, sessions: moved }
    const ms = Math.round(performance.now() - beganMs)
    log.info({ ...line, lost: lost + survivors.length - moved, ms, ...(why !== undefined && { why }) })
    return ends
  }

  async #adopt({ record, controls, connections }: Survivor): Promise<Adopted | undefined> {
    const { pools, hosts, log } = this.#parts
    const endMs = performance.now() + PATIENCE_MS
    while (performance.now() < endMs) {
      const worker = pools().leastLoaded() ?? (await this.#someWorker(endMs))
      if (!worker) break
      try {
        const adopted = await adoptSession({ moveId: nextMoveId(), record, controls, connections }, worker, hosts())
        for (const end of adopted.ends) end.catch(() => {}) // the host will hear of it
        return adopted
      } catch (error) {
        const { threadId } = worker
        log.warn({
          event: 'session.adopt.failed',
          sessionId: record.session?.sessionId,
          threadId,
          error: String(error),
        })
        if (!worker.isGone) return undefined
      }
    }
    return undefined
  }

  async #someWorker(endMs: number): Promise<WorkerLife | undefined> {
    const { pools } = this.#parts
    await settledWithin(pools().untilUsable(), endMs - performance.now())
    return pools().leastLoaded()
  }
}

/** Has who wants something of the session wait; the value ends it. */
function hold(session: Session): () => void {
  let over = () => {}
  const moving = new Promise<void>(resolve => {
    over = resolve
  })
  session.moving = moving
  return () => {
    if (session.moving === moving) session.moving = undefined
    over()
  }
}
