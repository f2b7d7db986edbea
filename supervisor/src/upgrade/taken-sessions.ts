/**
 * Sessions that another process of the server had, taken in by this one: put together in the session workers, where they wait for the word to go on.
 */
import type { ConnectionEnd, ControlBlocks, SessionRecord } from '@scsipub/contract'
import { type Adopted, adoptSession } from '../hand-over/adopt-session.js'
import { nextMoveId } from '../hand-over/session-move.js'
import type { Log } from '../log.js'
import type { SessionPool } from '../pool.js'
import type { SessionHost } from '../session-host.js'
import type { WorkerLife } from '../worker-life.js'
import type { SessionsEstate, UnitEstate } from './sessions-estate.js'

export interface TakenSessionsParts {
  readonly pool: Pick<SessionPool, 'workers'>
  readonly host: Pick<SessionHost, 'restore' | 'follow' | 'continueOn' | 'get'>
  /** Of the volumes, as this process has them. */
  readonly controls: ControlBlocks
  readonly log: Pick<Log, 'warn'>
}

const DROPPED: ConnectionEnd = { outcome: 'dropped', why: 'no session worker could go on with it' }
/** Sessions that are put together at the same time in one worker. */
const AT_A_TIME = 8

/**
 * Resolves when all of them are there; the value lets them go on. Before that nothing comes of anything that happens to them, since the other process may have them back. A
 * session that no worker takes has its connections closed by it.
 */
export async function takeSessions(estate: SessionsEstate, parts: TakenSessionsParts): Promise<() => Promise<void>> {
  const { host, pool, log } = parts
  host.restore(estate)
  const begin: (() => Promise<void>)[] = []
  const { workers } = pool
  const takeUnit = async (unit: UnitEstate, first: number) => {
    const connections = unit.connectionIds.flatMap(id => host.get(id) ?? [])
    const { record } = unit
    const adoption = { moveId: nextMoveId(), record, controls: controlsOf(record, parts.controls), connections }
    const adopted = await adoptSomewhere(adoption, rotated(workers, first), parts)
    for (const end of adopted?.ends ?? []) end.catch(() => {}) // whoever follows the connection hears of it
    if (!adopted) for (const { session } of connections) session.fault ??= DROPPED.why
    begin.push(async () => {
      for (const [index, connection] of connections.entries())
        void host.follow(connection, adopted?.ends[index] ?? Promise.resolve(DROPPED))
      await adopted?.go(unit.notices)
    })
  }
  const left = estate.units.map((unit, index) => ({ unit, first: index % workers.length }))
  const work = async () => {
    for (let next = left.shift(); next; next = left.shift()) await takeUnit(next.unit, next.first)
  }
  await Promise.all(Array.from({ length: AT_A_TIME * workers.length }, work))
  return async () => {
    const begun = await Promise.allSettled(begin.map(go => go()))
    for (const result of begun)
      if (result.status === 'rejected') log.warn({ event: 'session.go.failed', why: String(result.reason) })
  }
}

/** Those of its own volumes: each is shared memory, which takes its time to be told of, and of all together there may be thousands. */
function controlsOf({ session }: SessionRecord, all: ControlBlocks): ControlBlocks {
  const own: Record<string, SharedArrayBuffer> = {}
  for (const { volume } of session?.luns ?? []) {
    const control = all[volume.spec.volumeId]
    if (control) own[volume.spec.volumeId] = control
  }
  return own
}

async function adoptSomewhere(
  adoption: Parameters<typeof adoptSession>[0],
  workers: readonly WorkerLife[],
  { host, log }: TakenSessionsParts,
): Promise<Adopted | undefined> {
  for (const worker of workers) {
    try {
      return await adoptSession(adoption, worker, host)
    } catch (error) {
      log.warn({ event: 'session.adopt.failed', threadId: worker.threadId, error: String(error) })
    }
  }
  return undefined
}

function rotated<T>(list: readonly T[], first: number): T[] {
  return [...list.slice(first), ...list.slice(0, first)]
}
