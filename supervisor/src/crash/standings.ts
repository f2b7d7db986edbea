/**
 * What the workers have told of their sessions for the case that they die (`session.standing`), and what can be made of it then. Only the last report of each session is kept,
 * half a kilobyte and more by the number of its LUNs.
 */
import { deserialize } from 'node:v8'
import { snGt } from '@scsipub/bytes'
import {
  CELL_STATE,
  type CellReading,
  type ConnectionRecord,
  HAND_OVER_VERSION,
  readCell,
  type SessionRecord,
  type StandingRecord,
  type StandingReport,
} from '@scsipub/contract'
import { bytesRead } from '@scsipub/posix'
import type { HostedConnection, Session } from '../hosted-connection.js'
import type { WorkerLife } from '../worker-life.js'

/** `record`: it was at rest, and goes on by that. `lost`: why it cannot. `guilty`: its worker has died in the middle of what it had said. */
export type LastWord =
  | { readonly record: SessionRecord; readonly controls: StandingReport['controls'] }
  | { readonly lost: string; readonly guilty: boolean }

interface Told {
  readonly worker: WorkerLife
  readonly report: StandingReport
}

export class Standings {
  readonly #told = new Map<number, Told>()

  /** Sessions of which something is known. */
  get size(): number {
    return this.#told.size
  }

  tell(report: StandingReport, worker: WorkerLife): void {
    this.#told.set(report.sessionId, { worker, report })
  }

  forget(sessionId: number): void {
    this.#told.delete(sessionId)
  }

  /** How `session`, with these connections, stood when `worker`, which has had it, died. */
  lastWord(session: Session, connections: readonly HostedConnection[], worker: WorkerLife): LastWord {
    const told = this.#told.get(session.id)
    if (told?.worker !== worker) return { lost: 'nothing was known of it yet', guilty: false }
    const { report } = told
    const readings = new Map(report.cells.map(cell => [cell.connectionId, readCell(cell)]))
    const current = [...readings.values()].filter(({ version }) => version === report.version)
    if ([...readings.values()].some(({ state }) => state === CELL_STATE.running))
      return { lost: 'its worker died while it did what was asked', guilty: true }
    if (current.some(({ state }) => state !== CELL_STATE.resting))
      return { lost: 'commands were under way', guilty: false }
    if (current.length < connections.length || readings.size > connections.length)
      return { lost: 'it had just changed', guilty: false }
    for (const { id, fd } of connections)
      if (bytesRead(fd) !== readings.get(id)?.bytes) return { lost: 'what it had sent last is lost', guilty: false }
    return { record: recordOf(report, readings, connections), controls: report.controls }
  }
}

function recordOf(
  { record, cells }: StandingReport,
  readings: ReadonlyMap<number, CellReading>,
  hosted: readonly HostedConnection[],
): SessionRecord {
  const { session, phases } = deserialize(record) as StandingRecord
  const indexes = hosted.map(({ id }) => cells.findIndex(({ connectionId }) => connectionId === id))
  const connections = hosted.map(({ id, localAddress, remoteAddress }, at): ConnectionRecord => {
    const phase = { ...phases[indexes[at]!]!, statSn: readings.get(id)!.statSn }
    const none = new Uint8Array(0)
    return { connectionId: id, localAddress, remoteAddress, received: none, unsent: none, stage: { phase } }
  })
  // Each connection knows the number as of its own last section; the session's is the latest of them.
  const expCmdSn = [...readings.values()].map(({ expCmdSn }) => expCmdSn).reduce((a, b) => (snGt(b, a) ? b : a))
  // Whether it holds any of them the engine knows.
  const luns = session.luns.map(lun => ({ ...lun, mayHold: true }))
  return { version: HAND_OVER_VERSION, session: { ...session, expCmdSn, luns }, connections }
}
