/**
 * The time of leases, and their end. A lease that nobody uses is warned of in the last tenth of its time and then evicted:
 *
 *   record says evicting → sessions ended → ledger says so → volumes removed → record removed → ledger forgets
 *
 * From the first step on it will be finished, by this server or the next, whichever step it was interrupted at. Nothing is evicted while the state store is
 * away, since logins are refused then, nor within a tenth of its time after a start or an outage, so that whoever could not log in still can.
 */
import type { Log } from '../log.js'
import { Deadlines } from './deadlines.js'
import { type LeaseEvent, nextOf } from './lease.machine.js'
import type { Lease, LeaseBook } from './lease-book.js'
import { leaseError } from './lease-error.js'
import type { LeaseLedger } from './lease-ledger.js'
import type { LeaseVolumes } from './lease-volumes.js'
import { type Hold, OneAtATime } from './one-at-a-time.js'

/** How long after a failure an eviction, or its beginning, is tried again. */
const RETRY_MS = 5_000
/** Part of a lease's time in which its end is announced. */
const WARNED_PART = 10

export interface LeaseKeeperParts {
  readonly book: LeaseBook
  readonly volumes: LeaseVolumes
  readonly ledger: LeaseLedger
  readonly log: Log
  readonly now: () => number
  /** Ends a session; false when it would not. */
  readonly endSession: (sessionId: number, why: string) => Promise<boolean>
}

export class LeaseKeeper {
  readonly #parts: LeaseKeeperParts
  readonly #turns = new OneAtATime()
  readonly #rings = new OneAtATime()
  readonly #deadlines: Deadlines
  /** Since when logins have been possible without interruption; undefined while they are not. */
  #openSince: number | undefined

  constructor(parts: LeaseKeeperParts) {
    this.#parts = parts
    this.#deadlines = new Deadlines(id => void this.#rings.run('ring', () => this.#ring(id)), parts.now)
  }

  /** Runs `action` while nothing else is done with that lease. */
  turn<T>(id: string, action: () => Promise<T>): Promise<T> {
    return this.#turns.run(id, action)
  }

  /** As `turn`, for sessions that come and go: they do so also while the rest is held, until they rest themselves. */
  turnOfSession<T>(id: string, action: () => Promise<T>): Promise<T> {
    return this.#turns.run(id, action, { passes: true })
  }

  /** Logins are possible from now on, if they were not before. */
  opened(): void {
    this.#openSince ??= this.#parts.now()
  }

  /** Logins are not possible for now, so no lease comes to its end. */
  shut(): void {
    this.#openSince = undefined
  }

  /** When the lease is evicted if nobody uses it from now on. */
  deadlineOf({ life, record }: Lease): number {
    const now = this.#parts.now()
    if (life.stage === 'attached') return now + record.ttlMs
    return Math.max(record.expiresAt, (this.#openSince ?? now) + warningMs(record.ttlMs))
  }

  /** Whether the end of a suspended lease is near. */
  isExpiring(lease: Lease): boolean {
    return (
      lease.life.stage === 'suspended' && this.#parts.now() >= this.deadlineOf(lease) - warningMs(lease.record.ttlMs)
    )
  }

  /** The lease's time runs. */
  watch(lease: Lease): void {
    const warning = warningMs(lease.record.ttlMs)
    this.#deadlines.set(lease.record.id, lease.record.expiresAt - (lease.life.warned ? 0 : warning))
  }

  /** The lease's time does not run. */
  ignore(id: string): void {
    this.#deadlines.delete(id)
  }

  /**
   * Evicts the lease, in its turn. Settles when it has gone, or when what is left has to wait and will be done later. Rejects with
   * `LeaseError` when nothing has been done: 'store-unavailable', 'refused', or 'busy' where it cannot be evicted.
   */
  async evict(lease: Lease, event: LeaseEvent['type'], why: string): Promise<void> {
    const { book, log } = this.#parts
    const { id } = lease.record
    const next = nextOf(lease.life, { type: event })
    if (!next) throw leaseError('busy', `session ${id} is ${lease.life.stage}`)
    const record = { ...lease.record, state: 'evicting' as const }
    // A lease that was never answered for is undone even if the store cannot be told: its record says that it is not finished.
    if (event === 'provisioning.failed') await book.note(lease, record)
    else await book.write(lease, record)
    lease.life = next.life
    log.info({ event: 'lease.evicting', leaseId: id, accountId: record.accountId, why })
    await this.finish(lease)
  }

  /** Goes on with an eviction, in the lease's turn; what cannot be done now is tried again later. */
  async finish(lease: Lease): Promise<void> {
    const { book, volumes, ledger, log, now } = this.#parts
    const { id, luns, accountId } = lease.record
    try {
      await this.#endSessions(lease)
      await ledger.markEvicting(id)
      await volumes.remove(
        id,
        luns.map(({ lun }) => lun),
      )
      await book.erase(id, lease.version)
      await ledger.forget(id)
    } catch (error) {
      if (this.#openSince === undefined) return // it goes on when the store is there again
      log.warn({ event: 'lease.eviction.unfinished', leaseId: id, why: (error as Error).message })
      this.#deadlines.set(id, now() + RETRY_MS)
      return
    }
    lease.life = nextOf(lease.life, { type: 'volumes.removed' })?.life ?? lease.life
    this.#deadlines.delete(id)
    book.drop(id)
    log.info({ event: 'lease.gone', leaseId: id, accountId })
  }

  /** Nothing is done with any lease, but for sessions that come and go, until it is let go; see `OneAtATime.hold`. */
  hold(): Hold {
    return this.#turns.hold()
  }

  /** Settles when nothing is being done with any lease; nothing is begun by time any more. */
  async close(): Promise<void> {
    this.#deadlines.close()
    await this.#rings.idle()
    await this.#turns.idle()
  }

  async #endSessions({ sessions, record }: Lease): Promise<void> {
    const ends = await Promise.all(
      [...(sessions ?? [])].map(id => this.#parts.endSession(id, `lease ${record.id} is evicted`)),
    )
    if (ends.includes(false)) throw new Error('a session has not ended')
  }

  async #ring(id: string): Promise<void> {
    const { log, now } = this.#parts
    try {
      await this.turn(id, () => this.#due(id))
    } catch (error) {
      log.warn({ event: 'lease.eviction.unfinished', leaseId: id, why: (error as Error).message })
      this.#deadlines.set(id, now() + RETRY_MS)
    }
  }

  async #due(id: string): Promise<void> {
    const { book, log, now } = this.#parts
    const lease = book.get(id)
    if (lease?.life.stage === 'evicting') return this.finish(lease)
    if (lease?.life.stage !== 'suspended') return
    if (this.#openSince === undefined) return this.#deadlines.set(id, now() + warningMs(lease.record.ttlMs))
    const warning = warningMs(lease.record.ttlMs)
    if (now() < this.deadlineOf(lease) - warning) return this.#deadlines.set(id, this.deadlineOf(lease) - warning)
    const next = nextOf(lease.life, { type: 'ttl.near' })
    if (next) {
      lease.life = next.life
      // A warning that comes late moves the end.
      lease.record = { ...lease.record, expiresAt: Math.max(lease.record.expiresAt, now() + warning) }
      const expiresAt = new Date(this.deadlineOf(lease)).toISOString()
      log.info({ event: 'lease.expiring', leaseId: id, accountId: lease.record.accountId, expiresAt })
    }
    if (now() >= this.deadlineOf(lease)) return this.evict(lease, 'ttl.over', 'nobody has used it for its time')
    this.#deadlines.set(id, this.deadlineOf(lease))
  }
}

function warningMs(ttlMs: number): number {
  return Math.ceil(ttlMs / WARNED_PART)
}
