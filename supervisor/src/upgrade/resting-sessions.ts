/**
 * Sessions that rest: their workers have let go of them, and what each of them is stands in a record. Those that cannot be recorded soon, since something of theirs takes its
 * time (a copy, a disk that does not answer), are asked to log in again [7143 §11.9.1], and closed when they do not. That is no wish of theirs, so that an anonymous disk is
 * kept for them as after a fault of ours.
 *
 * `wake` gives each session back to its worker, or to another one when that is gone.
 */
import type { EngineNotice, ExportReply } from '@scsipub/contract'
import { type Adopted, type Adoption, abandon, adoptSession } from '../hand-over/adopt-session.js'
import { type Expected, expectNext, nextMoveId } from '../hand-over/session-move.js'
import type { HostedConnection } from '../hosted-connection.js'
import type { Log } from '../log.js'
import type { SessionPool } from '../pool.js'
import type { ServerLimits } from '../server-options.js'
import type { Session, SessionHost } from '../session-host.js'
import type { WorkerLife } from '../worker-life.js'
import type { SessionsEstate, UnitEstate } from './sessions-estate.js'

export interface RestingSessionsParts {
  readonly pool: Pick<SessionPool, 'workers' | 'tellAll'>
  readonly host: Pick<
    SessionHost,
    'unitOf' | 'continueOn' | 'sessionsOn' | 'untilAtRest' | 'untilOnly' | 'cutAllBut' | 'lastId'
  >
  readonly limits: Pick<ServerLimits, 'logoutMs'>
  readonly log: Pick<Log, 'warn'>
}

interface Unit extends Adoption {
  /** The one that has let go of it. */
  readonly worker: WorkerLife
  readonly nexts: readonly Expected[]
}

/** How long what a session has under way may take. */
const BOUND_MS = 500
/** How long sessions that are too busy may take to end when they have not logged out. */
const CUT_MS = 1_000

export class RestingSessions {
  readonly #parts: RestingSessionsParts
  readonly #units: Unit[] = []
  /** Sessions that could not be recorded. */
  askedToLogInAgain = 0

  private constructor(parts: RestingSessionsParts) {
    this.#parts = parts
  }

  /** Nobody may come in meanwhile. */
  static async of(parts: RestingSessionsParts): Promise<RestingSessions> {
    const resting = new RestingSessions(parts)
    await parts.host.untilAtRest()
    const busy = await resting.#record()
    if (busy.length > 0) await resting.#endOthers(busy)
    return resting
  }

  /** Sessions and connections that are recorded. */
  get size(): number {
    return this.#units.length
  }

  /** The descriptors that the estate names. */
  get descriptors(): number[] {
    return this.#units.flatMap(({ connections }) => connections.map(({ fd }) => fd))
  }

  /** All of it, when the storage engine rests too: nothing is said to any session any more. */
  async estate(): Promise<SessionsEstate> {
    const units = await Promise.all(this.#units.map(unit => estateOf(unit)))
    const connections = this.#units.flatMap(unit => unit.connections)
    const sessions = new Set(connections.map(({ session }) => session))
    return {
      lastId: this.#parts.host.lastId,
      sessions: [...sessions].map(({ id, login, volumeIds, fault }) => ({ id, login, volumeIds, fault })),
      connections: connections.map(connection => {
        const { id, fd, peerAddress, remoteAddress, localAddress, cid, admitted, joining, session } = connection
        return { id, fd, peerAddress, remoteAddress, localAddress, cid, admitted, joining, sessionId: session.id }
      }),
      units,
    }
  }

  /** Goes on with all of them here. A session that no worker takes, or whose own has died, is dropped. Never rejects. */
  async wake(): Promise<void> {
    await Promise.all(this.#units.splice(0).map(unit => this.#wake(unit)))
  }

  /** Records whatever there is; the value is who was too busy. */
  async #record(): Promise<Session[]> {
    const { pool, host } = this.#parts
    const all = pool.workers.flatMap(worker => host.sessionsOn(worker).map(session => ({ worker, session })))
    const done = await Promise.all(all.map(({ worker, session }) => this.#export(worker, host.unitOf(session))))
    return all.flatMap(({ session }, index) => (done[index] ? [] : [session]))
  }

  async #export(worker: WorkerLife, connections: readonly HostedConnection[]): Promise<boolean> {
    if (connections.length === 0) return true
    const moveId = nextMoveId()
    const nexts = connections.map(expectNext)
    const connectionIds = connections.map(({ id }) => id)
    const answer = await worker.ask({ kind: 'session.export', moveId, connectionIds, boundMs: BOUND_MS })
    const reply = 'result' in answer ? (answer.result as ExportReply) : { busy: 'the session worker failed' }
    if ('busy' in reply) {
      for (const next of nexts) next.forget()
      return false
    }
    for (const next of nexts) next.take()
    this.#units.push({ moveId, worker, connections, nexts, ...reply })
    return true
  }

  async #endOthers(busy: readonly Session[]): Promise<void> {
    const { pool, host, log, limits } = this.#parts
    const sessions = busy.filter(({ login }) => login)
    this.askedToLogInAgain = sessions.length
    if (sessions.length > 0)
      log.warn({ event: 'upgrade.sessions.busy', sessions: sessions.length, why: 'they are asked to log in again' })
    pool.tellAll({ kind: 'worker.drain', deadlineMs: limits.logoutMs, why: 'the server is upgraded' })
    const resting = new Set(this.#units.flatMap(({ connections }) => connections))
    // An anonymous disk is there when its initiator logs in again.
    for (const session of pool.workers.flatMap(worker => host.sessionsOn(worker)))
      if (![...session.connections].some(connection => resting.has(connection)))
        session.fault ??= 'it could not be handed over to another process'
    if (await host.untilOnly(resting, limits.logoutMs + CUT_MS)) return
    host.cutAllBut(resting)
    if (!(await host.untilOnly(resting, CUT_MS))) throw new Error('sessions do not end')
  }

  async #wake(unit: Unit): Promise<void> {
    const { worker, connections, nexts } = unit
    const adopted = await this.#adopt(unit)
    if (!adopted) {
      for (const next of nexts) next.drop('no session worker could go on with it')
      return
    }
    for (const [index, next] of nexts.entries()) next.continue(adopted.ends[index]!)
    try {
      // Once more: the storage engine may have said something after the estate was made.
      await adopted.go(await noticesOf(unit, adopted.hadNotices))
    } catch (error) {
      const why = (error as Error).message
      this.#parts.log.warn({ event: 'session.go.failed', threadId: worker.threadId, why })
      abandon(connections, why)
    }
  }

  /** In the worker where it was, or any other. */
  async #adopt(unit: Unit): Promise<Adopted | undefined> {
    const { pool, host, log } = this.#parts
    for (const candidate of [unit.worker, ...pool.workers.filter(other => other !== unit.worker)]) {
      try {
        return await adoptSession(unit, candidate, host)
      } catch (error) {
        log.warn({ event: 'session.adopt.failed', threadId: candidate.threadId, error: String(error) })
      }
    }
    return undefined
  }
}

async function estateOf(unit: Unit): Promise<UnitEstate> {
  const { record, connections } = unit
  const notices = await noticesOf(unit)
  // One who was told of another control block would have to know it in the other process, too. It comes of what leases and the operator do, who wait.
  if (notices.some(({ kind }) => kind === 'volume.replaced')) throw new Error('a volume was replaced meanwhile')
  return { record, notices, connectionIds: connections.map(({ id }) => id) }
}

/** What the storage engine has said to a session since it is at rest. `hadByNext`: what the worker that has it now had before it. Rejects when its worker is gone: nobody knows it then. */
async function noticesOf({ worker, moveId }: Unit, hadByNext?: number[]): Promise<EngineNotice[]> {
  const asked = { kind: 'session.notices' as const, moveId, ...(hadByNext && { hadByNext }) }
  return (await worker.require(asked)) as EngineNotice[]
}
