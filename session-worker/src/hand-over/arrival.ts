/**
 * A session comes from another worker: everything is put where it was, and nothing begins, neither reading nor sending nor I/O, until it is known what the storage engine has
 * said since. Then that is done to it, what waits is sent, and it goes on.
 *
 * As long as it has not begun the other worker's record is still true, so that another one can have it when this one fails.
 */
import { closeSync } from 'node:fs'
import { type AdoptNotice, type ConnectionRecord, HAND_OVER_VERSION, isSessionRecord } from '@scsipub/contract'
import { restoreSession } from '../begin-session.js'
import { ConnectionActor } from '../connection-actor.js'
import { applyNotice, type SessionNotice } from '../engine-notices.js'
import type { Services } from '../services.js'
import type { Session } from '../session.js'
import { restoreShared, restoreTasks, resumeShared } from './restore-tasks.js'

export class Arrival {
  readonly connections: readonly ConnectionActor[]
  readonly #notice: AdoptNotice
  #session: Session | undefined

  /** Takes the descriptors, for better or worse. */
  private constructor(notice: AdoptNotice, services: Services) {
    this.#notice = notice
    const { record, descriptors } = notice
    const connections: ConnectionActor[] = []
    this.connections = connections
    try {
      if (!isSessionRecord(record) || record.version !== HAND_OVER_VERSION)
        throw new Error('the record is of another layout')
      for (const [index, of] of record.connections.entries()) {
        const { connectionId, localAddress, remoteAddress, stage } = of
        const back = 'login' in stage && stage.login.handedBack ? { received: '' } : {}
        const task = { connectionId, fd: descriptors[index]!, localAddress, remoteAddress, ...back }
        connections.push(new ConnectionActor(task, services, of))
      }
    } catch (error) {
      for (const fd of descriptors.slice(connections.length)) closeSync(fd)
      this.abandon()
      throw error
    }
  }

  /** Puts a session together; rejects, and has nothing of it, when that cannot be done. */
  static async begin(notice: AdoptNotice, services: Services): Promise<Arrival> {
    const arrival = new Arrival(notice, services)
    try {
      await arrival.#assemble(services)
      return arrival
    } catch (error) {
      arrival.abandon()
      throw error
    }
  }

  get session(): Session | undefined {
    return this.#session
  }

  /** Begins. `notices`: what was said to the session's worker before and to this one since; a notice may be told twice. */
  goOn(notices: readonly SessionNotice[]): void {
    const { record } = this.#notice
    for (const [connection, of] of this.#each()) connection.sendRest(of)
    if (this.#session && record.session) {
      const had = new Set(record.session.hadNotices)
      const missed = new Map(notices.filter(({ noticeId }) => !had.has(noticeId)).map(one => [one.noticeId, one]))
      this.#session.arriving = false
      // Nothing of it is under way, so there is nothing to wait for.
      for (const notice of [...missed.values()].sort((a, b) => a.noticeId - b.noticeId))
        void applyNotice(this.#session, notice)
      resumeShared(this.#session, record.session)
    }
    for (const [connection, of] of this.#each()) connection.letGo(Buffer.from(of.received))
  }

  /** Lets go of everything; the record stays good. */
  abandon(): void {
    for (const connection of this.connections) connection.send({ type: 'connection.handedOver' })
    if (!this.#session) return
    this.#session.arriving = false
    this.#session.leaveBehind()
    this.#session = undefined
  }

  async #assemble(services: Services): Promise<void> {
    const { record, controls } = this.#notice
    const pairs = [...this.#each()]
    const members = pairs.flatMap(([connection, { stage }]) =>
      'phase' in stage ? [{ connection, phase: stage.phase }] : [],
    )
    const [first, ...others] = members
    if (record.session && first) {
      const made = { services, founder: first.connection, cid: first.phase.cid }
      this.#session = await restoreSession(record.session, controls, made)
      for (const { connection, phase } of others) this.#session.enlist(connection, phase.cid)
    }
    const phases = pairs.map(([connection, of]) => connection.restore(of, this.#session))
    for (const [index, phase] of phases.entries()) {
      const { stage } = pairs[index]![1]
      if (phase && 'phase' in stage) restoreTasks(phase, stage.phase)
    }
    if (this.#session && record.session) restoreShared(this.#session, record.session)
  }

  #each(): [ConnectionActor, ConnectionRecord][] {
    return this.#notice.record.connections.map((record, index) => [this.connections[index]!, record])
  }
}
