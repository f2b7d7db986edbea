/**
 * What the supervisor knows of the sessions of this worker, for the case that the worker dies: what was agreed on, the LUNs, the unit attentions. It is told again, all of
 * it, soon after any of that has changed; what changes with every command stands in cells of shared memory (`SessionCell`).
 *
 * Each state has a version, which the cells carry from the moment of the change: as long as the supervisor has not been told of that version, what it knows is old, and the
 * session counts as busy. So it may be told late, and of many changes at once, and a login waits for nothing. A session that comes from another worker is told of when it has begun.
 *
 * Left out: copies under way. A session is busy as long as it has one, and what is known of it afterwards is told like the rest.
 */
import { serialize } from 'node:v8'
import type { Requester } from '@scsipub/contract'
import { SessionCells, type StandingRecord, type SupervisorReplies, type SupervisorRequest } from '@scsipub/contract'
import type { Session } from '../session.js'

/** How long after a change the supervisor is told. A login makes several. */
const REST_MS = 100
/** Sessions that are told of in one turn; with all that a worker may have, their initiators would wait for it. */
const AT_A_TIME = 16

export interface StandingsParts {
  readonly supervisor: Pick<Requester<SupervisorRequest, SupervisorReplies>, 'ask'>
  readonly hadNotices: () => number[]
}

export class Standings {
  readonly cells = new SessionCells()
  readonly #parts: StandingsParts
  readonly #changed = new Set<Session>()
  #version = 0
  #timer: NodeJS.Timeout | undefined

  constructor(parts: StandingsParts) {
    this.#parts = parts
  }

  /** Something of the session has changed; the value is its new version, which no other state of any session here has. */
  changed(session: Session): number {
    this.#changed.add(session)
    this.#timer ??= setTimeout(() => this.#tell(), REST_MS)
    this.#version = (this.#version + 1) >>> 0
    return this.#version
  }

  #tell(): void {
    this.#timer = undefined
    const told = [...this.#changed].filter(({ arriving }) => !arriving).slice(0, AT_A_TIME)
    for (const session of told) {
      this.#changed.delete(session)
      if (session.isOpen) this.#tellOf(session)
    }
    if (this.#changed.size > 0) this.#timer = setTimeout(() => this.#tell(), told.length === AT_A_TIME ? 0 : REST_MS)
  }

  #tellOf(session: Session): void {
    const cells = session.phases.flatMap(({ connection: { cell } }) => (cell ? [cell] : []))
    if (cells.length < session.phases.length || cells.length === 0) return
    const record: StandingRecord = {
      session: { ...session.standing(), hadNotices: this.#parts.hadNotices() },
      phases: session.phases.map(phase => phase.standing()),
    }
    const { controls } = session
    const places = cells.map(({ place, connectionId }) => ({ ...place, connectionId }))
    const { id: sessionId, version } = session
    const told = { kind: 'session.standing' as const, sessionId, version, record: serialize(record), controls }
    // A supervisor that has gone needs to know nothing.
    this.#parts.supervisor.ask({ ...told, cells: places }).catch(() => {})
  }
}
