/**
 * Sessions that leave this worker and sessions that come, see `departure.ts` and `arrival.ts`.
 *
 * In between both workers hear what the storage engine says: the first one for a session that is gone (a ghost), the second one for a session that has not begun. Neither has I/O of
 * it under way, so both answer at once and keep the notice; the session does all of them, once and in order, before it does anything else.
 */
import type { AdoptNotice, ExportNotice, ExportReply, GoNotice, NoticesNotice } from '@scsipub/contract'
import type { ConnectionActor } from '../connection-actor.js'
import type { SessionNotice } from '../engine-notices.js'
import type { Services } from '../services.js'
import { Arrival } from './arrival.js'
import { depart } from './departure.js'

/** More notices than can be on their way to two workers. */
const REMEMBERED = 128

/** More than the storage engine has under way at a time. */
const TOLD_AGAIN = 64

interface Ghost {
  readonly volumes: ReadonlySet<string>
  readonly notices: SessionNotice[]
}

interface Coming {
  /** Once it is put together. */
  arrival?: Arrival
  readonly notices: SessionNotice[]
}

export class HandOver {
  readonly #services: Services
  readonly #connections: Map<number, ConnectionActor>
  readonly #ghosts = new Map<number, Ghost>()
  readonly #coming = new Map<number, Coming>()
  /** Numbers of the last notices. */
  readonly #had: number[] = []

  /** `connections`: those of the worker. One that comes is in it from the beginning, until its run has ended. */
  constructor(services: Services, connections: Map<number, ConnectionActor>) {
    this.#services = services
    this.#connections = connections
  }

  /** The last notices that the sessions here have had, as far back as one may be told again of a worker that has died. */
  get hadNotices(): number[] {
    return this.#had.slice(-TOLD_AGAIN)
  }

  /** Lets go of a session, if that can be done now. */
  async leave({ moveId, connectionIds, boundMs }: ExportNotice): Promise<ExportReply> {
    const connections = connectionIds.map(id => this.#connections.get(id))
    const known = connections.filter(connection => connection !== undefined)
    // One that is not here is about to come, or its end is about to be known.
    if (known.length < connections.length) return { busy: 'a connection is on its way' }
    const departed = await depart(known, { boundMs, hadNotices: () => [...this.#had] })
    if ('busy' in departed) return departed
    const { record, controls, volumes } = departed
    this.#ghosts.set(moveId, { volumes, notices: [] })
    return { record, controls }
  }

  /** Whether what another worker has had has been said here, too. */
  hasHad(noticeIds: readonly number[]): boolean {
    return noticeIds.every(id => this.#had.includes(id))
  }

  /** What the storage engine has said to a session that is gone. `hadByNext`: another worker has it, and it is of no interest here any more. */
  remembered({ moveId, hadByNext }: Pick<NoticesNotice, 'moveId' | 'hadByNext'>): SessionNotice[] {
    const ghost = this.#ghosts.get(moveId)
    if (hadByNext) this.#ghosts.delete(moveId)
    return ghost?.notices ?? []
  }

  /** Puts a session together. The value: the last notices that it has not heard, since they came before it. */
  async come(notice: AdoptNotice): Promise<number[]> {
    const { moveId } = notice
    const coming: Coming = { notices: [] }
    this.#coming.set(moveId, coming)
    const had = this.hadNotices
    try {
      coming.arrival = await Arrival.begin(notice, this.#services)
    } catch (error) {
      this.#coming.delete(moveId)
      throw error
    }
    for (const connection of coming.arrival.connections) this.#connections.set(connection.task.connectionId, connection)
    return had
  }

  /** The session begins. */
  go({ moveId, notices }: GoNotice): void {
    const coming = this.#coming.get(moveId)
    if (!coming?.arrival) throw new Error(`nothing has come by move ${moveId}`)
    this.#coming.delete(moveId)
    coming.arrival.goOn([...(notices as SessionNotice[]), ...coming.notices])
  }

  /** Every notice about a volume passes here, before the sessions that live here have it. */
  heard(notice: SessionNotice): void {
    this.#had.push(notice.noticeId)
    if (this.#had.length > REMEMBERED) this.#had.shift()
    for (const { volumes, notices } of this.#ghosts.values()) if (volumes.has(notice.volumeId)) notices.push(notice)
    for (const { notices } of this.#coming.values()) notices.push(notice)
  }
}
