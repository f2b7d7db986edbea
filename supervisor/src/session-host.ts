/**
 * The connections that there are, each from its accept to the end of its run, and the sessions that they belong to. Kept small: thousands
 * of them are idle.
 *
 * Of each connection the supervisor holds a descriptor of its own, as a bare number: it never reads it, and while it is
 * open the connection outlives the worker. The actor has a duplicate and closes that by itself; each side closes only its own. So a
 * connection whose first words name a live session can be given to that session's worker, where all of its connections are, and a session from worker to worker
 * (`hand-over/`); its runs are in `connection-runs.ts`.
 *
 * Left out: what becomes of the sessions of a dead worker; see `crash/`.
 */
import { closeSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import type { ConnectionEnd } from '@scsipub/contract'
import { shutdown } from '@scsipub/posix'
import { ConnectionRuns, type ConnectionRunsParts } from './connection-runs.js'
import { type Accepted, type HostedConnection, newSession, type Session } from './hosted-connection.js'
import type { Log } from './log.js'
import type { Sessions } from './nexus-registry.js'
import { settledWithin } from './settled-within.js'
import type { SessionsEstate } from './upgrade/sessions-estate.js'
import type { WorkerLife } from './worker-life.js'

export type { Accepted, HostedConnection, Session } from './hosted-connection.js'

/** How long a session may take to end when it is told to, and after its connection has been cut. */
export interface EndLimits {
  readonly toldMs: number
  readonly cutMs: number
}

export interface SessionHostParts extends ConnectionRunsParts {
  readonly log: Log
  readonly limits: EndLimits
  /** Number of the live session with that TSIH. */
  readonly sessionOf: (tsih: number) => number | undefined
  /** A connection has ended; when it was the last one of its session, `onSessionEnd` follows. */
  readonly onConnectionEnd: (connection: HostedConnection) => void
  readonly onSessionEnd: (session: Session) => void
}

const MAX_ID = 0xffffffff
/** How often it is looked whether connections have ended that are waited for. */
const LOOK_MS = 20

export class SessionHost implements Sessions {
  readonly #parts: SessionHostParts
  readonly #runs: ConnectionRuns
  readonly #connections = new Map<number, HostedConnection>()
  readonly #sessions = new Map<number, Session>()
  /** Those that are about to join a session: few, and for a moment. */
  readonly #joining = new Set<HostedConnection>()
  #lastId = 0
  #whenEmpty: (() => void) | undefined

  constructor(parts: SessionHostParts) {
    this.#parts = parts
    this.#runs = new ConnectionRuns(parts)
  }

  /** Sessions, with those that are about to log in. */
  get size(): number {
    return this.#sessions.size
  }

  /** Sessions that are logged in, in all and by worker thread, and connections, with those that are not. */
  tally(): { sessions: number; byThread: Map<number, number>; connections: number } {
    const byThread = new Map<number, number>()
    let sessions = 0
    for (const { login, connections } of this.#sessions.values()) {
      if (!login) continue
      sessions++
      const [first] = connections
      const thread = first?.worker?.threadId
      if (thread !== undefined) byThread.set(thread, (byThread.get(thread) ?? 0) + 1)
    }
    return { sessions, byThread, connections: this.#connections.size }
  }

  /** The number that was given to a connection last, and to a session. */
  get lastId(): number {
    return this.#lastId
  }

  get(connectionId: number): HostedConnection | undefined {
    return this.#connections.get(connectionId)
  }

  session(sessionId: number): Session | undefined {
    return this.#sessions.get(sessionId)
  }

  /** Sessions that have logged in to a target. */
  sessionsOf(target: string): Session[] {
    return [...this.#sessions.values()].filter(({ login }) => login?.target === target)
  }

  isLive(sessionId: number): boolean {
    return this.#sessions.has(sessionId)
  }

  /** Runs a connection whose descriptor becomes the host's; settles, never rejects, when it has ended. */
  async host({ fd, peerAddress, remoteAddress, localAddress }: Accepted): Promise<void> {
    const id = this.#nextId()
    const session = newSession(id, { peerAddress })
    const connection: HostedConnection = {
      id,
      fd,
      peerAddress,
      remoteAddress,
      worker: undefined,
      session,
      cid: undefined,
      admitted: false,
      localAddress,
      joining: undefined,
      next: [],
    }
    session.connections.add(connection)
    this.#connections.set(id, connection)
    this.#sessions.set(id, session)
    const task = { connectionId: id, localAddress, remoteAddress }
    await this.#finish(connection, await this.#runs.run(connection, task))
  }

  /** Makes sessions and connections as another process had them, whose descriptors become the host's; none is here yet, and none runs. */
  restore({ lastId, sessions, connections }: Omit<SessionsEstate, 'units'>): void {
    this.#lastId = lastId
    for (const { id, ...known } of sessions) this.#sessions.set(id, newSession(id, known))
    for (const { sessionId, ...estate } of connections) {
      const session = this.#sessions.get(sessionId)
      if (!session) throw new Error(`connection ${estate.id} belongs to session ${sessionId}, which is not there`)
      const connection: HostedConnection = { ...estate, worker: undefined, session, next: [] }
      session.peerAddress = connection.peerAddress
      session.connections.add(connection)
      this.#connections.set(connection.id, connection)
      if (connection.joining !== undefined) this.#joining.add(connection)
    }
  }

  /** Follows a restored connection from its first run here, which ends as `end` does; settles, never rejects, when it has ended. */
  async follow(connection: HostedConnection, first: Promise<ConnectionEnd>): Promise<void> {
    await this.#finish(connection, await this.#runs.follow(connection, first))
  }

  /** Goes on with a connection that is to be given to the worker of a session, and clears away what has ended. */
  async #finish(connection: HostedConnection, first: ConnectionEnd): Promise<void> {
    let end = first
    if (end.handBack) {
      const { tsih, received } = end.handBack
      const { id: connectionId, localAddress, remoteAddress } = connection
      const goal = this.#parts.sessionOf(tsih)
      // Nothing may come between the look and the start there, else the session could go away in between.
      for (let moving = this.#moving(goal); moving !== undefined; moving = this.#moving(goal)) await moving
      connection.joining = goal
      this.#joining.add(connection)
      end = await this.#runs.run(
        connection,
        { connectionId, localAddress, remoteAddress, received },
        this.#workerOf(goal),
      )
    }
    this.#over(connection, end)
  }

  /** Makes the connection one of another session; its own, which has not begun, is forgotten. */
  join(connection: HostedConnection, session: Session): void {
    this.#sessions.delete(connection.session.id)
    connection.session = session
    connection.joining = undefined
    this.#joining.delete(connection)
    session.connections.add(connection)
  }

  /** [7143 §6.3.5] wants the old session ended before the new one is answered; a session that will not end is cut off. */
  async end(sessionId: number, outcome: 'reinstated' | 'dropped' | 'reset', why: string): Promise<boolean> {
    for (let moving = this.#moving(sessionId); moving !== undefined; moving = this.#moving(sessionId)) await moving
    const session = this.#sessions.get(sessionId)
    if (!session) return true
    for (const { id, worker } of session.connections) {
      worker?.tell({ kind: 'connection.end', connectionId: id, outcome, why })
    }
    if (await this.#endsWithin(session, this.#parts.limits.toldMs)) return true
    this.#parts.log.warn({ event: 'session.cut', sessionId, why })
    for (const { fd } of session.connections) shutdown(fd)
    return this.#endsWithin(session, this.#parts.limits.cutMs)
  }

  /** Ends every connection at once, for sessions that would not end by themselves. */
  cutAll(): void {
    for (const { fd } of this.#connections.values()) shutdown(fd)
  }

  /** The sessions that go where something on `worker` goes. */
  sessionsOn(worker: WorkerLife): Session[] {
    const there = [...this.#connections.values()].filter(connection => connection.worker === worker)
    return [...new Set(there.map(connection => this.#leaderOf(connection)))]
  }

  /** The connections that go where the session goes: its own, and those that are about to join it. None, when it is itself about to join another one. */
  unitOf(session: Session): HostedConnection[] {
    return [...new Set([...session.connections, ...this.#joining])].filter(
      connection => connection.worker !== undefined && this.#leaderOf(connection) === session,
    )
  }

  /** Whose way the connection goes: that of the session that it is about to join, when that is in the same worker. */
  #leaderOf({ joining, worker, session }: HostedConnection): Session {
    const goal = joining === undefined ? undefined : this.#sessions.get(joining)
    return goal && worker && this.#isOn(goal, worker) ? goal : session
  }

  /** Goes on with a connection in a worker that has adopted it. The end of that is the end of the connection. */
  continueOn(connection: HostedConnection, worker: WorkerLife, fd: number): Promise<ConnectionEnd> {
    return this.#runs.continueOn(connection, worker, fd)
  }

  /** Settles when no session is on its way from worker to worker. */
  async untilAtRest(): Promise<void> {
    await Promise.all([...this.#sessions.values()].map(({ moving }) => moving))
  }

  /** Settles with true when there are no connections but these, with false when that takes longer. */
  async untilOnly(these: ReadonlySet<HostedConnection>, limitMs: number): Promise<boolean> {
    const endMs = performance.now() + limitMs
    while ([...this.#connections.values()].some(connection => !these.has(connection))) {
      if (performance.now() > endMs) return false
      await setTimeout(LOOK_MS)
    }
    return true
  }

  /** Ends every connection but these at once. */
  cutAllBut(these: ReadonlySet<HostedConnection>): void {
    for (const connection of this.#connections.values()) if (!these.has(connection)) shutdown(connection.fd)
  }

  /** Settles when no session is left that has logged in: to be asked when no login succeeds any more. */
  async untilEmpty(): Promise<void> {
    if (this.#hasLogins()) await new Promise<void>(resolve => (this.#whenEmpty = resolve))
  }

  /** Settles when the session has come to rest; undefined when it is not on its way from worker to worker. */
  #moving(sessionId: number | undefined): Promise<unknown> | undefined {
    return this.#sessions.get(sessionId ?? 0)?.moving
  }

  #isOn({ connections }: Session, worker: WorkerLife): boolean {
    return [...connections].some(connection => connection.worker === worker)
  }

  #hasLogins(): boolean {
    for (const { login } of this.#sessions.values()) if (login) return true
    return false
  }

  #workerOf(sessionId: number | undefined): WorkerLife | undefined {
    const session = this.#sessions.get(sessionId ?? 0)
    for (const { worker } of session?.connections ?? []) if (worker) return worker
    return undefined
  }

  #over(connection: HostedConnection, { outcome, why }: ConnectionEnd): void {
    const { session } = connection
    const { log, onConnectionEnd, onSessionEnd } = this.#parts
    this.#connections.delete(connection.id)
    this.#joining.delete(connection)
    session.connections.delete(connection)
    closeSync(connection.fd)
    const last = session.connections.size === 0
    const line = {
      event: last ? 'session.ended' : 'connection.ended',
      sessionId: session.id,
      ...(last ? {} : { cid: connection.cid }),
      ...session.login,
      remote: connection.remoteAddress,
      outcome,
      why,
    }
    if (session.login) log.info(line)
    else log.debug(line)
    onConnectionEnd(connection)
    if (!last) return
    this.#sessions.delete(session.id)
    onSessionEnd(session)
    for (const wake of session.waiting ?? []) wake()
    if (this.#whenEmpty && !this.#hasLogins()) this.#whenEmpty()
  }

  #endsWithin(session: Session, ms: number): Promise<boolean> {
    if (!this.isLive(session.id)) return Promise.resolve(true)
    const ended = new Promise<void>(resolve => {
      session.waiting ??= []
      session.waiting.push(resolve)
    })
    return settledWithin(ended, ms)
  }

  #nextId(): number {
    do this.#lastId = (this.#lastId % MAX_ID) + 1
    while (this.#connections.has(this.#lastId) || this.#sessions.has(this.#lastId))
    return this.#lastId
  }
}
