/**
 * Leases: the disks of the paid tier. Each is a target of its own with one CHAP pair and 1 to 256 LUNs, kept over logouts, restarts and crashes, until
 * its owner removes it or nobody has used it for its time.
 *
 * Here is what the HTTP API asks, and what logins ask; the parts are beside: the machine of a lease's life, records and ledger, volumes, time, sessions,
 * what accounts have.
 * Why it is safe: docs/adr/0021.
 */
import type { StateStore } from '@scsipub/state'
import type { Catalog } from '../catalog.js'
import type { Engine } from '../engine.js'
import type { Log } from '../log.js'
import type { LeaseTargets } from '../targets.js'
import { NEW_LIFE } from './lease.machine.js'
import { type Lease, LeaseBook } from './lease-book.js'
import { leaseError } from './lease-error.js'
import { LeaseHoldings } from './lease-holdings.js'
import { type ImageView, LeaseImages } from './lease-images.js'
import { LeaseKeeper } from './lease-keeper.js'
import { LeaseLedger } from './lease-ledger.js'
import { LeaseLogins } from './lease-logins.js'
import { LeaseLuns, type LunSessions, lunOf } from './lease-luns.js'
import { LeaseMaker } from './lease-maker.js'
import { newChapSecret, newLeaseId } from './lease-names.js'
import type { LeaseRecord } from './lease-record.js'
import { takeIn } from './lease-start.js'
import { LeaseTargetList } from './lease-targets.js'
import { LeaseUpkeep } from './lease-upkeep.js'
import { type LeaseView, viewOf } from './lease-view.js'
import { LeaseVolumes } from './lease-volumes.js'
import {
  checkGrowth,
  checkName,
  checkRoom,
  type LeaseAccount,
  type LeaseImage,
  type LeaseWish,
  type LunWish,
  planLease,
  planLun,
  type TierLimits,
} from './lease-wish.js'
import type { Hold } from './one-at-a-time.js'

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
  readonly sessions: LunSessions
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
  readonly #maker: LeaseMaker
  /** Leases as logins look for them. */
  readonly targets: LeaseTargets
  readonly #logins: LeaseLogins
  readonly #luns: LeaseLuns
  readonly #images: LeaseImages
  readonly #holdings: LeaseHoldings
  readonly #upkeep: LeaseUpkeep
  /** Sessions that another process has let in and handed over, by the number of the session: taken in with the leases. */
  readonly #handedOver = new Map<number, string>()
  /** Those of them that have ended before the leases were taken in. */
  readonly #endedEarly = new Set<number>()

  /** Reads the ledger; throws system errors when that cannot be done. */
  constructor(parts: LeasesParts) {
    this.#parts = parts
    this.#now = parts.now ?? Date.now
    this.#book = new LeaseBook(parts.store, parts.log, () => this.#upkeep.tryLater())
    this.#ledger = new LeaseLedger(parts.folder)
    this.#volumes = new LeaseVolumes(parts.engine, parts.log)
    const own = { book: this.#book, volumes: this.#volumes, log: parts.log, now: this.#now }
    this.#keeper = new LeaseKeeper({ ...own, ledger: this.#ledger, endSession: parts.endSession })
    this.#maker = new LeaseMaker({ ...own, ledger: this.#ledger, keeper: this.#keeper })
    this.targets = new LeaseTargetList({
      book: this.#book,
      iqn: id => this.#iqn(id),
      isLoaded: () => this.#upkeep.loaded,
    })
    this.#logins = new LeaseLogins({ ...own, keeper: this.#keeper })
    this.#images = new LeaseImages({ ...own, store: parts.store, node: this.#ledger.node })
    this.#holdings = new LeaseHoldings({ book: this.#book, images: this.#images })
    this.#luns = new LeaseLuns({
      ...own,
      keeper: this.#keeper,
      holdings: this.#holdings,
      sessions: parts.sessions,
      iqn: id => this.#iqn(id),
      keepCopy: record => this.#maker.keepCopy(record),
    })
    const start = { ...own, store: parts.store, keeper: this.#keeper, ledger: this.#ledger }
    this.#upkeep = new LeaseUpkeep({
      ...start,
      images: this.#images,
      takeIn: async () => {
        const afterwards = await takeIn({ ...start, grow: (lease, lun) => this.#luns.grow(lease, lun) })
        for (const [sessionId, leaseId] of this.#handedOver) this.#logins.adopt(leaseId, sessionId)
        this.#handedOver.clear()
        const ended = [...this.#endedEarly].map(sessionId => () => this.#logins.detach(sessionId))
        this.#endedEarly.clear()
        return [...ended, ...afterwards]
      },
    })
  }

  /**
   * Takes in the leases that there are, now or as soon as the state store is there, and follows it from then on. `handedOver`: sessions that another process of
   * the server had let in, by their numbers, and their leases; the volumes are open.
   */
  async start(handedOver: Iterable<readonly [sessionId: number, leaseId: string]> = []): Promise<void> {
    for (const [sessionId, leaseId] of handedOver) this.#handedOver.set(sessionId, leaseId)
    await this.#upkeep.start()
  }

  /** Makes a lease. Rejects with `LeaseError`. */
  async create(account: LeaseAccount, wish: LeaseWish): Promise<LeaseView> {
    this.#mustBeThere()
    const plan = planLease(wish, {
      limits: account.limits,
      holdings: this.#holdings.of(account.id),
      findImage: name => this.#image(account.id, name),
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
      await this.#maker.make(lease, plan.luns)
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
      const holdings = this.#holdings.of(record.accountId)
      return planLun(wish, {
        limits,
        holdings,
        findImage: name => this.#image(record.accountId, name),
        luns: record.luns,
      })
    })
    return this.#view(this.#lease(id))
  }

  /** Takes a LUN from a lease, with all that is on it. Rejects with `LeaseError`. */
  async removeLun(id: string, lun: number): Promise<LeaseView> {
    this.#mustBeThere()
    await this.#luns.remove(id, lun)
    return this.#view(this.#lease(id))
  }

  /** Makes a LUN larger, also while it is in use; initiators are told. `limits` are those of its account. Rejects with `LeaseError`. */
  async resizeLun(id: string, lun: number, sizeBytes: number, limits: TierLimits): Promise<LeaseView> {
    this.#mustBeThere()
    await this.#luns.resize(id, lun, sizeBytes, found => {
      const holdings = this.#holdings.of(this.#lease(id).record.accountId)
      checkGrowth(found, sizeBytes, { limits, holdings })
    })
    return this.#view(this.#lease(id))
  }

  /** Keeps a LUN as it is at this moment, as a private image of the account; the lowest LUN unless told. Rejects with `LeaseError`. */
  async snapshot(id: string, wish: { lun?: number; name: string }, limits: TierLimits): Promise<ImageView> {
    this.#mustBeThere()
    checkName(wish.name)
    return this.#keeper.turn(id, async () => {
      const lease = this.#luns.usable(id)
      const lun = lunOf(lease, wish.lun ?? lease.record.luns[0]?.lun ?? 0)
      const { accountId } = lease.record
      checkRoom(lun.sizeBytes, { limits, holdings: this.#holdings.of(accountId) })
      const isOpen = lease.life.stage === 'attached'
      const { sizeBytes } = lun
      return this.#images.make({ accountId, name: wish.name, sizeBytes }, snapshotId =>
        this.#volumes.freeze(id, lun, snapshotId, isOpen),
      )
    })
  }

  /** The private images of an account, oldest first. */
  images(accountId: string): ImageView[] {
    return this.#images.list(accountId)
  }

  /** Removes a private image that no disk stands on. Rejects with `LeaseError`. */
  async removeImage(accountId: string, id: string): Promise<void> {
    this.#mustBeThere()
    await this.#images.remove(accountId, id)
  }

  /** Whether a login can be written down, as far as is known. */
  get available(): boolean {
    return this.#upkeep.loaded && this.#parts.store.available
  }

  /** See `LeaseLogins`. */
  attach(leaseId: string, sessionId: number): ReturnType<LeaseLogins['attach']> {
    return this.#logins.attach(leaseId, sessionId)
  }

  /** See `LeaseLogins`. */
  detach(sessionId: number): Promise<void> {
    if (!this.#handedOver.has(sessionId)) return this.#logins.detach(sessionId)
    this.#endedEarly.add(sessionId)
    return Promise.resolve()
  }

  /** Sessions that are attached, and their leases. */
  attached(): (readonly [sessionId: number, leaseId: string])[] {
    return [...this.#handedOver, ...this.#logins.attached()]
  }

  /** Nothing is done with any lease, but for sessions that come and go, until it is let go; see `OneAtATime.hold`. */
  hold(): Hold {
    return this.#keeper.hold()
  }

  /** Settles when all that was begun is done; nothing is begun by time any more. */
  async close(): Promise<void> {
    await this.#upkeep.close()
    await this.#keeper.close()
  }

  #mustBeThere(): void {
    if (!this.available) throw leaseError('store-unavailable', 'the state store does not answer; try again later')
  }

  #lease(id: string): Lease {
    const lease = this.#book.get(id)
    if (!lease) throw leaseError('lease-unknown', `there is no session ${id}`)
    return lease
  }

  #image(accountId: string, name: string): LeaseImage | undefined {
    const own = this.#images.get(accountId, name)
    if (own) return { sizeBytes: own.sizeBytes, base: { baseSnapshot: own.id } }
    const image = this.#parts.catalog.images().get(name)
    return image && { sizeBytes: image.sizeBytes, base: { basePath: image.path } }
  }

  #view(lease: Lease): LeaseView {
    return viewOf(lease, this.#keeper, this.#iqn(lease.record.id))
  }

  #iqn(id: string): string {
    return `${this.#parts.iqnPrefix}:${id}`
  }
}
