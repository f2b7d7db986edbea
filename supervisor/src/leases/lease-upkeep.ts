/**
 * Keeps leases and the state store together: takes in what there is, at the start or as soon as the store is there, and writes later what could not be written.
 * What the store refuses at one moment is tried again until it is done.
 */
import { StateError, type StateStore } from '@scsipub/state'
import type { Log } from '../log.js'
import { Deadlines } from './deadlines.js'
import type { LeaseBook } from './lease-book.js'
import type { LeaseImages } from './lease-images.js'
import type { LeaseKeeper } from './lease-keeper.js'
import { oneAfterAnother } from './one-after-another.js'

export interface LeaseUpkeepParts {
  readonly store: StateStore
  readonly book: LeaseBook
  readonly keeper: LeaseKeeper
  readonly images: LeaseImages
  readonly log: Log
  readonly now: () => number
  /** Takes the leases in, all or none, and gives what is to be done later; rejects with `StateError`. See `lease-start.ts`. */
  readonly takeIn: () => Promise<(() => Promise<void>)[]>
}

/** How long after a failure the store is asked again. */
const RETRY_MS = 5_000

export class LeaseUpkeep {
  readonly #parts: LeaseUpkeepParts
  /** For what failed though the store is there. */
  readonly #retry: Deadlines
  #loaded = false
  #isReconciling = false
  #afterwards: Promise<void> = Promise.resolve()

  constructor(parts: LeaseUpkeepParts) {
    this.#parts = parts
    this.#retry = new Deadlines(() => void this.#reconcile(), parts.now)
  }

  /** Whether the leases that there are have been read. */
  get loaded(): boolean {
    return this.#loaded
  }

  /** Reads the leases, now or as soon as the state store is there, and follows it from then on. */
  async start(): Promise<void> {
    const { store, keeper } = this.#parts
    store.onAvailability(available => {
      if (available) void this.#reconcile()
      else keeper.shut()
    })
    await this.#load()
  }

  /** Something could not be written, or read: it is tried again, when the store is there or in a while. */
  tryLater(): void {
    this.#retry.set('store', this.#parts.now() + RETRY_MS)
  }

  /** Settles when what a start had to finish is done; nothing is begun any more. */
  async close(): Promise<void> {
    this.#retry.close()
    await this.#afterwards
  }

  async #load(): Promise<void> {
    const { images, keeper, log, takeIn } = this.#parts
    try {
      // Images first: leases are there for logins as soon as they have been taken in, so they must not be taken in twice.
      const imagesAfterwards = await images.load()
      const afterwards = await takeIn()
      this.#loaded = true
      keeper.opened()
      this.#afterwards = oneAfterAnother([...imagesAfterwards, ...afterwards], error => {
        log.error({ event: 'lease.recovery.failed', error: String(error) })
      })
    } catch (error) {
      if (!(error instanceof StateError)) throw error
      this.tryLater()
      log.debug({ event: 'leases.unavailable', why: error.message }) // the store's own line says what it means
    }
  }

  /** The store is there again, or may answer by now: what could not be read is read, what could not be written is written. */
  async #reconcile(): Promise<void> {
    if (this.#isReconciling) return this.tryLater()
    if (!this.#parts.store.available) return // it tells when it is there again
    this.#isReconciling = true
    try {
      if (this.#loaded) await this.#writeWhatIsOwed()
      else await this.#load()
    } finally {
      this.#isReconciling = false
    }
  }

  async #writeWhatIsOwed(): Promise<void> {
    const { book, keeper, log } = this.#parts
    keeper.opened()
    const waiting = [...book.all()].filter(lease => lease.life.stage === 'evicting' || book.owes(lease))
    for (const lease of waiting) {
      const { id } = lease.record
      try {
        await keeper.turn(id, async () => {
          if (book.get(id) !== lease) return
          if (lease.life.stage === 'evicting') await keeper.finish(lease)
          else if (book.owes(lease)) await book.write(lease, lease.record)
        })
      } catch (error) {
        log.warn({ event: 'lease.reconcile.failed', leaseId: id, why: (error as Error).message })
      }
    }
  }
}
