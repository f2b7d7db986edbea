/**
 * The leases of this node: in memory what their records say, and the writing of these.
 *
 * Only the node that has the volumes of a lease writes its record, so what this node knows is the truth; a record that turns out older, or missing, is one that
 * the store has lost, and is written again. A write is a compare-and-set all the same: that is how such a loss is noticed, and a store that
 * cannot be reached never gives an answer that looks like one.
 */
import { isDamaged, StateError, type StateStore } from '@scsipub/state'
import type { Credential } from '../credential.js'
import type { Log } from '../log.js'
import type { LeaseLife } from './lease.machine.js'
import { leaseError } from './lease-error.js'
import { type LeaseRecord, readLeaseRecord } from './lease-record.js'

/** Kept small: there are thousands. */
export interface Lease {
  record: LeaseRecord
  /** Of the record in the store; 0: it has none. */
  version: number
  life: LeaseLife
  /** Attached ones, by their numbers. */
  sessions: Set<number> | undefined
  /** Why nobody may log in. */
  refused: string | undefined
  /** Made when it is first asked for. */
  credential: Credential | undefined
}

const MAX_ATTEMPTS = 3

export class LeaseBook {
  readonly #store: StateStore
  readonly #log: Log
  readonly #owing: () => void
  readonly #leases = new Map<string, Lease>()
  /** Leases whose record in the store may not be what is known of them. */
  readonly #unwritten = new Set<Lease>()
  /** Records of which nothing can be made, and why. */
  readonly damaged = new Map<string, string>()

  /** `owing` is called when a record could not be written. */
  constructor(store: StateStore, log: Log, owing: () => void) {
    this.#store = store
    this.#log = log
    this.#owing = owing
  }

  get size(): number {
    return this.#leases.size
  }

  get(id: string): Lease | undefined {
    return this.#leases.get(id)
  }

  all(): IterableIterator<Lease> {
    return this.#leases.values()
  }

  /** Whether the lease's record has to be written once the store is there again. */
  owes(lease: Lease): boolean {
    return this.#unwritten.has(lease)
  }

  add(record: LeaseRecord, version: number, life: LeaseLife): Lease {
    const lease: Lease = { record, version, life, sessions: undefined, refused: undefined, credential: undefined }
    this.#leases.set(record.id, lease)
    return lease
  }

  drop(id: string): void {
    const lease = this.#leases.get(id)
    if (lease) this.#unwritten.delete(lease)
    this.#leases.delete(id)
  }

  /** Writes a record of the lease, which becomes that of the lease when the store has it. Rejects with `LeaseError` 'store-unavailable' or 'refused'. */
  async write(lease: Lease, record: LeaseRecord): Promise<void> {
    try {
      lease.version = await this.#put(lease, record)
    } catch (error) {
      if (!(error instanceof StateError)) throw error
      this.#unwritten.add(lease)
      this.#owing()
      throw leaseError('store-unavailable', `the state store does not answer: ${error.message}`)
    }
    this.#unwritten.delete(lease)
    lease.record = record
  }

  /** What has become of the lease, whether the store can be told or not: if not, it is written later. Rejects with `LeaseError` 'refused'. */
  async note(lease: Lease, record: LeaseRecord): Promise<void> {
    lease.record = record
    this.#unwritten.add(lease)
    await this.write(lease, record).catch(ignoreUnavailable)
  }

  /** Takes the record out of the store. Rejects with `LeaseError` 'store-unavailable'. */
  async erase(id: string, version: number): Promise<void> {
    let expected = version
    try {
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
        try {
          return await this.#store.remove('leases', id, expected)
        } catch (error) {
          if (!isConflict(error)) throw error
          const found = await this.#store.get('leases', id)
          if (!found) return
          expected = found.version
        }
      }
    } catch (error) {
      if (error instanceof StateError)
        throw leaseError('store-unavailable', `the state store does not answer: ${error.message}`)
      throw error
    }
    throw leaseError('store-unavailable', `the record of lease ${id} changes all the time`)
  }

  async #put(lease: Lease, record: LeaseRecord): Promise<number> {
    const { id } = record
    let expected = lease.version
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#store.put('leases', id, record, expected)
      } catch (error) {
        if (!isConflict(error) || attempt === MAX_ATTEMPTS) throw error
        expected = await this.#found(lease)
      }
    }
  }

  /** The version that the store has in place of the one that was expected; throws when this node must not write over it. */
  async #found(lease: Lease): Promise<number> {
    const { id, node } = lease.record
    const found = await this.#store.get('leases', id)
    if (found && isDamaged(found)) throw this.#refuse(lease, `its record is damaged: ${found.damaged}`)
    const record = found && readLeaseRecord(id, found.value)
    if (typeof record === 'string') throw this.#refuse(lease, `its record is damaged: ${record}`)
    if (record && record.node !== node) throw this.#refuse(lease, `it is a lease of node ${record.node} now`)
    // After an unanswered write, what is there may be that write.
    if (!this.#unwritten.has(lease))
      this.#log.warn({
        event: 'lease.record.restored',
        leaseId: id,
        why: found ? 'the state store had another record' : 'the state store had lost the record',
      })
    return found?.version ?? 0
  }

  #refuse(lease: Lease, why: string) {
    lease.refused = why
    this.#log.warn({ event: 'lease.refused', leaseId: lease.record.id, why })
    return leaseError('refused', `lease ${lease.record.id} is refused: ${why}`)
  }
}

function isConflict(error: unknown): boolean {
  return error instanceof StateError && error.code === 'conflict'
}

function ignoreUnavailable(error: unknown): void {
  if ((error as { code?: unknown }).code !== 'store-unavailable') throw error
}
