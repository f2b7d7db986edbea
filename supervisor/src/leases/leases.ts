/**
 * Leases: the disks of the paid tier. Each is a target of its own with one CHAP pair and 1 to 256 LUNs, kept over logouts, restarts and crashes, until
 * its owner removes it or nobody has used it for its time.
 *
 * Here is what the HTTP API asks, and what logins ask; the parts are beside: the machine of a lease's life, records and ledger, volumes, time, sessions.
 * Why it is safe: docs/adr/0021.
 */
import { StateError, type StateStore } from '@scsipub/state'
import type { Catalog } from '../catalog.js'
import { type Credential, credentialOf } from '../credential.js'
import type { Engine } from '../engine.js'
import type { Log } from '../log.js'
import { serviceUnavailable, targetError } from '../login-status.js'
import type { Target } from '../targets.js'
import { NEW_LIFE, nextOf } from './lease.machine.js'
import { type Lease, LeaseBook } from './lease-book.js'
import { leaseError } from './lease-error.js'
import { LeaseKeeper } from './lease-keeper.js'
import { LeaseLedger } from './lease-ledger.js'
import { LeaseLogins } from './lease-logins.js'
import { LeaseLuns, type LunSessions } from './lease-luns.js'
import { isLeaseId, newChapSecret, newLeaseId } from './lease-names.js'
import type { LeaseLun, LeaseRecord } from './lease-record.js'
import { takeIn } from './lease-start.js'
import type { LeaseView } from './lease-view.js'
import { type LeaseBase, LeaseVolumes } from './lease-volumes.js'
import {
  type Holdings,
  type LeaseAccount,
  type LeaseImage,
  type LeaseWish,
  type LunWish,
  planLease,
  planLun,
  type TierLimits,
} from './lease-wish.js'

export interface LeasesParts {
  readonly store: StateStore
  readonly engine: Pick<Engine, 'ask'>
  readonly catalog: Pick<Catalog, 'images'>
  readonly iqnPrefix: string
  /** Of the ledger, in the data directory. */
  readonly folder: string
  readonly log: Log
  /** Ends a session; false when it would not. */
  readonly endSession: (sessionId: number, why: string) => Promise<boolean>
  /** Who is told that LUNs come and go. */
  readonly sessions?: LunSessions
  /** The wall clock, in milliseconds since 1970. */
  readonly now?: () => number
}

export class Leases {
  readonly #parts: LeasesParts
  readonly #now: () => number
  readonly #book: LeaseBook
  readonly #ledger: LeaseLedger
  readonly #volumes: LeaseVolumes
  readonly #keeper: LeaseKeeper
  readonly #logins: LeaseLogins
  readonly #luns: LeaseLuns
  #loaded = false
  #afterwards: Promise<void> = Promise.resolve()

  /** Reads the ledger; throws system errors when that cannot be done. */
  constructor(parts: LeasesParts) {
    this.#parts = parts
    this.#now = parts.now ?? Date.now
    this.#book = new LeaseBook(parts.store, parts.log)
    this.#ledger = new LeaseLedger(parts.folder)
    this.#volumes = new LeaseVolumes(parts.engine, parts.log)
    const own = { book: this.#book, volumes: this.#volumes, log: parts.log, now: this.#now }
    this.#keeper = new LeaseKeeper({ ...own, ledger: this.#ledger, endSession: parts.endSession })
    this.#logins = new LeaseLogins({ ...own, keeper: this.#keeper })
    this.#luns = new LeaseLuns({
      ...own,
      keeper: this.#keeper,
      sessions: parts.sessions,
      iqn: id => this.#iqn(id),
      keepCopy: record => this.#keepCopy(record),
    })
  }

  /** Takes in the leases that there are, now or as soon as the state store is there, and follows it from then on. */
  async start(): Promise<void> {
    this.#parts.store.onAvailability(available => {
      if (available) void this.#reconcile()
      else this.#keeper.shut()
    })
    await this.#load()
  }

  /** Makes a lease. Rejects with `LeaseError`. */
  async create(account: LeaseAccount, wish: LeaseWish): Promise<LeaseView> {
    this.#mustBeThere()
    const plan = planLease(wish, {
      limits: account.limits,
      holdings: this.#holdings(account.id),
      findImage: name => this.#image(name),
    })
    const id = newLeaseId()
    const createdAt = this.#now()
    const record: LeaseRecord = {
      format: 1,
      id,
      accountId: account.id,
      node: this.#ledger.node,
      revision: 1,
      state: 'provisioning',
      ...(wish.name !== undefined && { name: wish.name }),
      chapSecret: newChapSecret(),
      ttlMs: plan.ttlMs,
      createdAt,
      expiresAt: createdAt + plan.ttlMs,
      luns: plan.luns.map(({ base, ...lun }) => lun),
    }
    // Counted before anything is awaited, so that an account cannot get round its limits.
    const lease = this.#book.add(record, 0, NEW_LIFE)
    return this.#keeper.turn(id, async () => {
      await this.#provision(lease, plan.luns)
      this.#parts.log.info({ event: 'lease.created', leaseId: id, accountId: account.id, luns: record.luns.length })
      return this.#view(lease)
    })
  }

  /** All leases, or those of an account, oldest first. */
  list(accountId?: string): LeaseView[] {
    return [...this.#book.all()]
      .filter(({ record }) => accountId === undefined || record.accountId === accountId)
      .sort((a, b) => a.record.createdAt - b.record.createdAt)
      .map(lease => this.#view(lease))
  }

  get(id: string): LeaseView | undefined {
    const lease = this.#book.get(id)
    return lease && this.#view(lease)
  }

  /** Ends the sessions of a lease and removes it with all that is on it. Rejects with `LeaseError`. */
  async remove(id: string): Promise<void> {
    await this.#keeper.turn(id, async () => {
      const lease = this.#lease(id)
      if (lease.life.stage !== 'evicting') await this.#keeper.evict(lease, 'removal.requested', 'its owner removes it')
    })
  }

  /** Gives a lease another LUN, at the lowest number that is free; `limits` are those of its account. Rejects with `LeaseError`. */
  async addLun(id: string, wish: LunWish, limits: TierLimits): Promise<LeaseView> {
    this.#mustBeThere()
    await this.#luns.add(id, ({ record }) => {
      const holdings = this.#holdings(record.accountId)
      return planLun(wish, { limits, holdings, findImage: name => this.#image(name), luns: record.luns })
    })
    return this.#view(this.#lease(id))
  }

  /** Takes a LUN from a lease, with all that is on it. Rejects with `LeaseError`. */
  async removeLun(id: string, lun: number): Promise<LeaseView> {
    this.#mustBeThere()
    await this.#luns.remove(id, lun)
    return this.#view(this.#lease(id))
  }

  /** Leases that there are. */
  get count(): number {
    return this.#book.size
  }

  /** The target whose name ends so; undefined when it is no lease. It says why it refuses logins, when it does. */
  find(leaf: string): Target | undefined {
    if (!isLeaseId(leaf)) return undefined
    const lease = this.#book.get(leaf)
    if (lease) return this.#target(lease)
    const damaged = this.#book.damaged.get(leaf)
    if (damaged === undefined && this.#loaded) return undefined
    const refuse =
      damaged === undefined ? serviceUnavailable('the state store has not been there yet') : targetError(damaged)
    return { name: this.#iqn(leaf), private: false, disks: [], lease: leaf, refuse }
  }

  /** The target whose CHAP name that is. */
  ofUser(user: string): Target | undefined {
    const lease = isLeaseId(user) ? this.#book.get(user) : undefined
    return lease && this.#target(lease)
  }

  /** Whether a login can be written down, as far as is known. */
  get available(): boolean {
    return this.#loaded && this.#parts.store.available
  }

  /** See `LeaseLogins`. */
  attach(leaseId: string, sessionId: number): ReturnType<LeaseLogins['attach']> {
    return this.#logins.attach(leaseId, sessionId)
  }

  /** See `LeaseLogins`. */
  detach(sessionId: number): Promise<void> {
    return this.#logins.detach(sessionId)
  }

  /** Settles when all that was begun is done; nothing is begun by time any more. */
  async close(): Promise<void> {
    await this.#afterwards
    await this.#keeper.close()
  }

  /** In the lease's turn: makes its volumes and writes it down, or undoes everything. */
  async #provision(lease: Lease, luns: readonly (LeaseLun & { base: LeaseBase })[]): Promise<void> {
    const { id } = lease.record
    try {
      await this.#book.write(lease, lease.record)
      await this.#volumes.make(id, luns)
      const record = { ...lease.record, state: 'suspended' as const }
      await this.#keepCopy(record)
      await this.#book.write(lease, record)
    } catch (error) {
      await this.#keeper.evict(lease, 'provisioning.failed', (error as Error).message)
      throw error
    }
    lease.life = nextOf(lease.life, { type: 'volumes.made' })?.life ?? lease.life
    this.#keeper.watch(lease)
  }

  async #keepCopy(record: LeaseRecord): Promise<void> {
    try {
      await this.#ledger.keep(record)
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      this.#parts.log.warn({ event: 'lease.ledger.failed', leaseId: record.id, why: message })
      throw leaseError(code === 'ENOSPC' ? 'space' : 'failed', 'the data directory cannot be written')
    }
  }

  async #load(): Promise<void> {
    const { store, log } = this.#parts
    try {
      const afterwards = await takeIn({
        store,
        book: this.#book,
        keeper: this.#keeper,
        ledger: this.#ledger,
        volumes: this.#volumes,
        log,
        now: this.#now,
      })
      this.#loaded = true
      this.#keeper.opened()
      this.#afterwards = afterwards().catch((error: unknown) => {
        log.error({ event: 'lease.recovery.failed', error: String(error) })
      })
    } catch (error) {
      if (!(error instanceof StateError)) throw error
      log.warn({ event: 'leases.unavailable', why: `the leases cannot be read: ${error.message}; logins to them wait` })
    }
  }

  /** The store is there again: what could not be written is written. */
  async #reconcile(): Promise<void> {
    const { log } = this.#parts
    if (!this.#loaded) return this.#load()
    this.#keeper.opened()
    const waiting = [...this.#book.all()].filter(lease => lease.life.stage === 'evicting' || this.#book.owes(lease))
    for (const lease of waiting) {
      const { id } = lease.record
      try {
        await this.#keeper.turn(id, async () => {
          if (this.#book.get(id) !== lease) return
          if (lease.life.stage === 'evicting') await this.#keeper.finish(lease)
          else if (this.#book.owes(lease)) await this.#book.write(lease, lease.record)
        })
      } catch (error) {
        log.warn({ event: 'lease.reconcile.failed', leaseId: id, why: (error as Error).message })
      }
    }
  }

  #mustBeThere(): void {
    if (!this.available) throw leaseError('store-unavailable', 'the state store does not answer; try again later')
  }

  #lease(id: string): Lease {
    const lease = this.#book.get(id)
    if (!lease) throw leaseError('lease-unknown', `there is no session ${id}`)
    return lease
  }

  #holdings(accountId: string): Holdings {
    let sessions = 0
    let bytes = 0
    for (const { record } of this.#book.all()) {
      if (record.accountId !== accountId) continue
      sessions++
      for (const { sizeBytes, growsTo = 0 } of record.luns) bytes += Math.max(sizeBytes, growsTo)
    }
    return { sessions, bytes }
  }

  #image(name: string): LeaseImage | undefined {
    const image = this.#parts.catalog.images().get(name)
    return image && { sizeBytes: image.sizeBytes, base: { basePath: image.path } }
  }

  #target(lease: Lease): Target {
    const { id, chapSecret } = lease.record
    lease.credential ??= credential(id, chapSecret)
    return {
      name: this.#iqn(id),
      private: false,
      disks: [],
      lease: id,
      credential: lease.credential,
      ...(lease.refused !== undefined && { refuse: targetError(lease.refused) }),
    }
  }

  #view(lease: Lease): LeaseView {
    const { id, accountId, name, chapSecret, createdAt, luns } = lease.record
    const { stage, sessions } = lease.life
    return {
      id,
      accountId,
      ...(name !== undefined && { name }),
      iqn: this.#iqn(id),
      chapUser: id,
      chapSecret,
      state: stage === 'gone' ? 'evicting' : stage,
      luns: luns.map(({ lun, image = 'blank', sizeBytes }) => ({ lun, image, sizeBytes })),
      createdAt: new Date(createdAt).toISOString(),
      expiresAt: new Date(this.#keeper.deadlineOf(lease)).toISOString(),
      attachedSessions: sessions,
      expiring: this.#keeper.isExpiring(lease),
      ...(lease.refused !== undefined && { refused: lease.refused }),
    }
  }

  #iqn(id: string): string {
    return `${this.#parts.iqnPrefix}:${id}`
  }
}

function credential(user: string, secret: string): Credential {
  const made = credentialOf({ chap: { user, secret } })
  if (!made) throw new Error('CHAP has a credential')
  return made
}
