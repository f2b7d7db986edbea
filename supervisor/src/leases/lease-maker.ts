/**
 * The making of a lease, in an order that can be interrupted anywhere:
 *
 *   record says provisioning → volumes made → ledger has a copy → record says suspended → its owner is told
 *
 * Until the ledger has a copy nobody has been told, so it is undone; from then on it is finished.
 */
import type { Log } from '../log.js'
import { nextOf } from './lease.machine.js'
import type { Lease, LeaseBook } from './lease-book.js'
import { leaseError } from './lease-error.js'
import type { LeaseKeeper } from './lease-keeper.js'
import type { LeaseLedger } from './lease-ledger.js'
import type { LeaseRecord } from './lease-record.js'
import type { LeaseVolumes } from './lease-volumes.js'
import type { PlannedLun } from './lease-wish.js'

export interface LeaseMakerParts {
  readonly book: LeaseBook
  readonly volumes: LeaseVolumes
  readonly ledger: LeaseLedger
  readonly keeper: LeaseKeeper
  readonly log: Log
}

export class LeaseMaker {
  readonly #parts: LeaseMakerParts

  constructor(parts: LeaseMakerParts) {
    this.#parts = parts
  }

  /** Makes a lease that the book has, in its turn, or undoes everything. Rejects with `LeaseError`. */
  async make(lease: Lease, luns: readonly PlannedLun[]): Promise<void> {
    const { book, volumes, keeper } = this.#parts
    try {
      await book.write(lease, lease.record)
      await volumes.make(lease.record.id, luns)
      const record = { ...lease.record, state: 'suspended' as const }
      await this.keepCopy(record)
      await book.write(lease, record)
    } catch (error) {
      await keeper.evict(lease, 'provisioning.failed', (error as Error).message)
      throw error
    }
    lease.life = nextOf(lease.life, { type: 'volumes.made' })?.life ?? lease.life
    keeper.watch(lease)
  }

  /** Keeps a copy of the record in the ledger. Rejects with `LeaseError` 'space' or 'failed'. */
  async keepCopy(record: LeaseRecord): Promise<void> {
    const { ledger, log } = this.#parts
    try {
      await ledger.keep(record)
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      log.warn({ event: 'lease.ledger.failed', leaseId: record.id, why: message })
      throw leaseError(code === 'ENOSPC' ? 'space' : 'failed', 'the data directory cannot be written')
    }
  }
}
