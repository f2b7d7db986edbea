/**
 * Sessions that come to leases and go. A login is written down before anything is opened, by one compare-and-set of the lease's record; where the state store
 * does not take it, the initiator is told to try again (0301), while sessions that are there go on. The volumes are opened for the first
 * session and closed after the last.
 */
import type { LoginRefusal, LunGrant } from '@scsipub/contract'
import { RpcError } from '@scsipub/contract'
import type { Log } from '../log.js'
import { outOfResources, serviceUnavailable, targetError, targetNotFound } from '../login-status.js'
import { nextOf } from './lease.machine.js'
import type { Lease, LeaseBook } from './lease-book.js'
import type { LeaseKeeper } from './lease-keeper.js'
import type { LeaseVolumes } from './lease-volumes.js'

type Attached = { readonly luns: LunGrant[] } | { readonly refuse: LoginRefusal }

export interface LeaseLoginsParts {
  readonly book: LeaseBook
  readonly keeper: LeaseKeeper
  readonly volumes: LeaseVolumes
  readonly log: Log
  readonly now: () => number
}

export class LeaseLogins {
  readonly #parts: LeaseLoginsParts
  readonly #leases = new Map<number, Lease>()

  constructor(parts: LeaseLoginsParts) {
    this.#parts = parts
  }

  /** Lets a session in and opens the disks; `detach` undoes it. */
  attach(leaseId: string, sessionId: number): Promise<Attached> {
    return this.#parts.keeper.turnOfSession(leaseId, () => this.#attach(leaseId, sessionId))
  }

  /** The session has ended, or has not come about; nothing to do for one that was not let in. Never rejects. */
  async detach(sessionId: number): Promise<void> {
    const lease = this.#leases.get(sessionId)
    if (!lease) return
    const { keeper, log } = this.#parts
    const { id } = lease.record
    try {
      await keeper.turnOfSession(id, () => this.#left(lease, sessionId))
    } catch (error) {
      log.error({ event: 'lease.detach.failed', leaseId: id, sessionId, error: String(error) })
    }
  }

  /** Sessions that are attached, and their leases. */
  attached(): (readonly [sessionId: number, leaseId: string])[] {
    return [...this.#leases].map(([sessionId, { record }]) => [sessionId, record.id])
  }

  /** A session that another process of the server had let in: its volumes are open, and the record in the store says that it is attached. */
  adopt(leaseId: string, sessionId: number): void {
    const { book, keeper } = this.#parts
    const lease = book.get(leaseId)
    const next = lease && nextOf(lease.life, { type: 'session.opened' })
    if (!next) return
    lease.life = next.life
    // Another object: what the start was about to write of a lease that nobody uses is not written.
    lease.record = { ...lease.record, state: 'attached' }
    lease.sessions ??= new Set()
    lease.sessions.add(sessionId)
    this.#leases.set(sessionId, lease)
    keeper.ignore(leaseId)
  }

  async #attach(leaseId: string, sessionId: number): Promise<Attached> {
    const { book, keeper, volumes, log, now } = this.#parts
    const lease = book.get(leaseId)
    if (!lease || lease.life.stage === 'evicting') return { refuse: targetNotFound('there is no such lease any more') }
    if (lease.refused !== undefined) return { refuse: targetError(lease.refused) }
    const next = nextOf(lease.life, { type: 'session.opened' })
    if (!next) return { refuse: serviceUnavailable(`the lease is ${lease.life.stage}`) }
    const expiresAt = now() + lease.record.ttlMs
    try {
      await book.write(lease, { ...lease.record, state: 'attached', expiresAt })
    } catch (error) {
      const why = (error as Error).message
      return { refuse: lease.refused === undefined ? serviceUnavailable(why) : targetError(why) }
    }
    lease.life = next.life
    lease.sessions ??= new Set()
    lease.sessions.add(sessionId)
    this.#leases.set(sessionId, lease)
    keeper.ignore(leaseId)
    try {
      return { luns: await volumes.open(lease.record) }
    } catch (error) {
      log.error({ event: 'volume.open.failed', sessionId, leaseId, error: (error as Error).message })
      await this.#left(lease, sessionId)
      const full = error instanceof RpcError && error.code === 'space'
      return { refuse: full ? outOfResources('the storage is full') : targetError('the disks cannot be opened') }
    }
  }

  /** In the lease's turn. */
  async #left(lease: Lease, sessionId: number): Promise<void> {
    const { book, keeper, volumes, now } = this.#parts
    this.#leases.delete(sessionId)
    if (!lease.sessions?.delete(sessionId)) return
    const next = nextOf(lease.life, { type: 'session.ended' })
    if (!next) return
    lease.life = next.life
    const suspended = next.effects.includes('beginTtl')
    if (suspended) {
      lease.sessions = undefined
      lease.record = { ...lease.record, state: 'suspended', expiresAt: now() + lease.record.ttlMs }
    }
    if (next.effects.includes('closeVolumes')) await volumes.close(lease.record)
    if (!suspended) return
    await book.note(lease, lease.record)
    keeper.watch(lease)
  }
}
