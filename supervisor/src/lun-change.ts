/**
 * LUNs that are added to a target, or taken from it, while initiators are logged in: every session of the target hears of it in its worker, and who asked goes on when
 * all of them have done their part.
 *
 * No session may miss a change, and a volume must not be opened by a login that still goes by the old list. So a caller changes what the
 * directory says of the target and asks for the change in one synchronous section; a session that logs in later has the new list by itself, and a login that has looked at
 * the old one is waited for, then told. Changes of one target come one after the other, in the order of asking.
 *
 * Left out: opening and destroying volumes, which is the caller's. When `removeLuns` has resolved, no session uses them any more.
 */
import { setImmediate } from 'node:timers/promises'
import type { LunGrant } from '@scsipub/contract'
import type { Log } from './log.js'
import type { SessionHost } from './session-host.js'
import type { WorkerLife } from './worker-life.js'

export interface LunChangeParts {
  readonly hosts: () => Pick<SessionHost, 'session' | 'sessionsOf'>
  readonly log: Pick<Log, 'info'>
}

interface Change {
  readonly add: LunGrant[]
  readonly remove: number[]
}

export class LunChange {
  readonly #parts: LunChangeParts
  /** Logins that have looked at the disks of a target and do not count as its sessions yet: target → session number → their end. */
  readonly #logins = new Map<string, Map<number, Promise<unknown>>>()
  /** The last change of each target that has not ended. */
  readonly #turns = new Map<string, Promise<void>>()

  constructor(parts: LunChangeParts) {
    this.#parts = parts
  }

  /**
   * Runs `furnish`, which looks at the disks of the target, by its full iSCSI name, and makes the session one of the target's, or fails; changes wait for it.
   */
  async login<T>(target: string, sessionId: number, furnish: () => Promise<T>): Promise<T> {
    const logins = this.#logins.get(target) ?? new Map<number, Promise<unknown>>()
    this.#logins.set(target, logins)
    const login = furnish()
    logins.set(sessionId, login)
    try {
      return await login
    } finally {
      logins.delete(sessionId)
      if (logins.size === 0) this.#logins.delete(target)
    }
  }

  /** Gives LUNs, whose volumes are open, to the sessions of the target (full iSCSI name). Resolves when all have them; never rejects. */
  addLuns(target: string, grants: readonly LunGrant[]): Promise<void> {
    return this.#change(target, { add: [...grants], remove: [] })
  }

  /** Takes LUNs from the sessions of the target. Resolves when nothing of any of them touches the volumes any more; never rejects. */
  removeLuns(target: string, luns: readonly number[]): Promise<void> {
    return this.#change(target, { add: [], remove: [...luns] })
  }

  #change(target: string, change: Change): Promise<void> {
    const logins = this.#logins.get(target) ?? new Map<number, Promise<unknown>>()
    const concerned = [
      ...this.#parts
        .hosts()
        .sessionsOf(target)
        .map(({ id }) => id),
      ...logins.keys(),
    ]
    const before = [this.#turns.get(target), ...logins.values()]
    const turn = this.#carryOut(target, change, { concerned, before })
    this.#turns.set(target, turn)
    return turn.finally(() => {
      if (this.#turns.get(target) === turn) this.#turns.delete(target)
    })
  }

  async #carryOut(
    target: string,
    { add, remove }: Change,
    { concerned, before }: { concerned: number[]; before: (Promise<unknown> | undefined)[] },
  ): Promise<void> {
    await Promise.allSettled(before)
    await setImmediate() // the answer to a login leaves in the turn in which the login ends, and before the notice
    const told = concerned.flatMap(sessionId => this.#tell(sessionId, { add, remove }))
    await Promise.all(told)
    this.#parts.log.info({
      event: 'target.luns',
      target,
      added: add.map(({ lun }) => lun),
      removed: remove,
      sessions: told.length,
    })
  }

  /** One that has ended, or whose login has failed, is not told; nor is one that was in a worker that is `dead`, and has not gone on. */
  #tell(sessionId: number, change: Change, dead?: WorkerLife): Promise<void>[] {
    const session = this.#parts.hosts().session(sessionId)
    if (!session?.login) return []
    // One that goes from worker to worker is told where it arrives.
    if (session.moving !== undefined)
      return [session.moving.then(() => Promise.all(this.#tell(sessionId, change))).then(() => {})]
    // All connections of a session are in one worker; one without a worker has ended.
    for (const { worker } of session.connections)
      if (worker && worker !== dead) return [this.#tellIn(worker, sessionId, change)]
    return []
  }
  /** A session at rest outlives its worker: it is told where it goes on, whatever the worker has done of it. */
  async #tellIn(worker: WorkerLife, sessionId: number, change: Change): Promise<void> {
    const answer = await worker.ask({ kind: 'session.luns', sessionId, ...change })
    if (!('gone' in answer)) return
    await worker.buried
    await Promise.all(this.#tell(sessionId, change, worker))
  }
}
