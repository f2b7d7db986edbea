/**
 * Moves one session, with all of its connections and those that are about to join it, from its worker to another one.
 *
 *   supervisor                        worker A                              worker B
 *   session.moving                                                                           who wants something of the session waits
 *   session.export ─────────────────▶ stops reading; I/O ends; lets go
 *   session.adopt  ◀── record ─────── (hears the storage engine for it) ──▶ puts it together (hears it too)
 *   session.notices ────────────────▶ what it has heard
 *   session.go     ◀───────────────────────────────────────────────────────▶ does that, sends, reads
 *
 * When B cannot take it the record is still there: any other worker can, A itself too. When nobody can, the connections are closed.
 */
import type { ConnectionEnd, EngineNotice, ExportReply } from '@scsipub/contract'
import type { HostedConnection, NextRun, Session } from '../hosted-connection.js'
import type { Log } from '../log.js'
import type { SessionPool } from '../pool.js'
import type { SessionHost } from '../session-host.js'
import type { WorkerLife } from '../worker-life.js'
import { type Adopted, abandon, adoptSession } from './adopt-session.js'

export interface MoveParts {
  readonly host: Pick<SessionHost, 'unitOf' | 'continueOn'>
  readonly pool: Pick<SessionPool, 'workers'>
  readonly log: Pick<Log, 'warn' | 'debug'>
}

/** `busy`: it has stayed where it was, for that reason. `dropped`: it is lost. `pauseMs`: for how long it was not served. */
export interface MoveResult {
  readonly outcome: 'moved' | 'busy' | 'dropped'
  readonly why?: string
  readonly pauseMs: number
}

let lastMoveId = 0

/** A number that no other move has. */
export function nextMoveId(): number {
  lastMoveId = (lastMoveId + 1) >>> 0
  return lastMoveId
}

/** Moves the session to `to`, or leaves it alone when what it does takes longer than `boundMs`. Never rejects. */
export async function moveSession(
  session: Session,
  to: WorkerLife,
  { boundMs, ...parts }: MoveParts & { boundMs: number },
): Promise<MoveResult> {
  const connections = parts.host.unitOf(session)
  const from = connections[0]?.worker
  const beganMs = performance.now()
  const result = (outcome: MoveResult['outcome'], why?: string): MoveResult => ({
    outcome,
    ...(why !== undefined && { why }),
    pauseMs: performance.now() - beganMs,
  })
  if (!from || connections.some(({ worker }) => worker !== from))
    return result('busy', 'not all of it is in one worker')
  const sessions = new Set(connections.map(connection => connection.session))
  let atRest = () => {}
  const moving = new Promise<void>(resolve => {
    atRest = resolve
  })
  for (const one of sessions) one.moving = moving
  try {
    return await move({ connections, from, to, boundMs, parts, result })
  } finally {
    for (const one of sessions) if (one.moving === moving) one.moving = undefined
    atRest()
  }
}

interface Move {
  readonly connections: readonly HostedConnection[]
  readonly from: WorkerLife
  readonly to: WorkerLife
  readonly boundMs: number
  readonly parts: MoveParts
  result(outcome: MoveResult['outcome'], why?: string): MoveResult
}

async function move({ connections, from, to, boundMs, parts, result }: Move): Promise<MoveResult> {
  const moveId = nextMoveId()
  const nexts = connections.map(expectNext)
  const connectionIds = connections.map(({ id }) => id)
  const answer = await from.ask({ kind: 'session.export', moveId, connectionIds, boundMs })
  if ('gone' in answer) {
    for (const next of nexts) next.drop('the session worker died')
    return result('dropped', 'the session worker died')
  }
  const reply =
    'result' in answer ? (answer.result as ExportReply) : { busy: 'failure' in answer ? answer.failure : '' }
  if ('busy' in reply) {
    for (const next of nexts) next.forget()
    return result('busy', reply.busy)
  }
  for (const next of nexts) next.take()
  const { record, controls } = reply
  const adopted = await adoptSomewhere({ moveId, record, controls, connections }, { from, to, parts })
  if (!adopted) {
    for (const next of nexts) next.drop('no session worker could go on with it')
    return result('dropped', 'no session worker could go on with it')
  }
  for (const [index, next] of nexts.entries()) next.continue(adopted.ends[index]!)
  try {
    // What A has heard for the session: without it nobody knows which of its tasks have ended meanwhile.
    const notices = await from.require({ kind: 'session.notices', moveId, hadByNext: adopted.hadNotices })
    await adopted.go(notices as EngineNotice[])
  } catch (error) {
    const why = (error as Error).message
    abandon(connections, why)
    return result('dropped', why)
  }
  return result('moved')
}

/** The worker that is wanted, then any other, then the one where it was. */
async function adoptSomewhere(
  adoption: Parameters<typeof adoptSession>[0],
  { from, to, parts }: Pick<Move, 'from' | 'to' | 'parts'>,
): Promise<Adopted | undefined> {
  const others = parts.pool.workers.filter(worker => worker !== from && worker !== to)
  for (const worker of [to, ...others, from]) {
    try {
      return await adoptSession(adoption, worker, parts.host)
    } catch (error) {
      const { moveId } = adoption
      parts.log.warn({ event: 'session.adopt.failed', moveId, threadId: worker.threadId, error: String(error) })
    }
  }
  return undefined
}

export interface Expected {
  /** Nothing comes of it. */
  forget(): void
  take(): void
  continue(end: Promise<ConnectionEnd>): void
  drop(why: string): void
}

/** Makes the connection wait for another worker when its run in this one ends. */
export function expectNext(connection: HostedConnection): Expected {
  let settle: (end: ConnectionEnd | Promise<ConnectionEnd>) => void = () => {}
  const end = new Promise<ConnectionEnd>(resolve => {
    settle = resolve
  })
  end.catch(() => {}) // whoever follows the connection hears of it
  const next: NextRun = { taken: false, end }
  connection.next.push(next)
  const forget = () => {
    const index = connection.next.indexOf(next)
    if (index >= 0) connection.next.splice(index, 1)
  }
  return {
    forget,
    take: () => {
      next.taken = true
    },
    continue: following => settle(following),
    drop: why => {
      if (next.taken) connection.session.fault ??= why
      else forget()
      settle({ outcome: 'dropped', why })
    },
  }
}
