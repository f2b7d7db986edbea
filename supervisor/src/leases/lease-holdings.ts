/**
 * What accounts have: leases, and the bytes of all disks and private images. A change that is under way counts from the moment that it was allowed, not only
 * when it has been written down; else what is asked for at the same time could get round the limits of the account.
 */
import type { LeaseBook } from './lease-book.js'
import type { LeaseImages } from './lease-images.js'
import type { LeaseRecord } from './lease-record.js'
import type { Holdings } from './lease-wish.js'

export interface LeaseHoldingsParts {
  readonly book: Pick<LeaseBook, 'all'>
  readonly images: Pick<LeaseImages, 'bytes'>
}

export class LeaseHoldings {
  readonly #parts: LeaseHoldingsParts
  /** Bytes that leases are about to have, by id. */
  readonly #promised = new Map<string, number>()

  constructor(parts: LeaseHoldingsParts) {
    this.#parts = parts
  }

  /** What an account has, with what it has been allowed and is being made. */
  of(accountId: string): Holdings {
    const { book, images } = this.#parts
    let sessions = 0
    let bytes = images.bytes(accountId)
    for (const { record } of book.all()) {
      if (record.accountId !== accountId) continue
      sessions++
      bytes += Math.max(bytesOf(record), this.#promised.get(record.id) ?? 0)
    }
    return { sessions, bytes }
  }

  /**
   * Does what makes a lease larger by `moreBytes`, which count from now on; afterwards what its record says does. To be called as soon as that
   * was found to be within the limits, before anything is awaited, and for one change of a lease at a time.
   */
  async during<T>(record: LeaseRecord, moreBytes: number, change: () => Promise<T>): Promise<T> {
    this.#promised.set(record.id, bytesOf(record) + moreBytes)
    try {
      return await change()
    } finally {
      this.#promised.delete(record.id)
    }
  }
}

function bytesOf({ luns }: LeaseRecord): number {
  return luns.reduce((sum, { sizeBytes, growsTo = 0 }) => sum + Math.max(sizeBytes, growsTo), 0)
}
