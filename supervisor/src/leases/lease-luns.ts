/**
 * LUNs that a lease gains or loses. What a lease consists of is written down first, then done: a LUN is in the record before any session has it, and out of the record
 * before its volume goes; a volume that no record has is removed at the next start. Sessions are told outside of the lease's turn, since a login
 * that they wait for may wait for that turn; changes come one after the other all the same.
 */
import type { LunGrant } from '@scsipub/contract'
import type { Lease, LeaseBook } from './lease-book.js'
import { leaseError } from './lease-error.js'
import type { LeaseHoldings } from './lease-holdings.js'
import type { LeaseKeeper } from './lease-keeper.js'
import type { LeaseLun, LeaseRecord } from './lease-record.js'
import type { LeaseVolumes } from './lease-volumes.js'
import type { PlannedLun } from './lease-wish.js'
import { OneAtATime } from './one-at-a-time.js'

/** The sessions of a target (full iSCSI name), which learn of a change. Never rejects. */
export interface LunSessions {
  addLuns(target: string, grants: readonly LunGrant[]): Promise<void>
  /** Resolves when nothing of any session touches the volumes any more. */
  removeLuns(target: string, luns: readonly number[]): Promise<void>
}

export interface LeaseLunsParts {
  readonly book: LeaseBook
  readonly keeper: LeaseKeeper
  readonly volumes: LeaseVolumes
  readonly holdings: Pick<LeaseHoldings, 'during'>
  readonly sessions: LunSessions
  readonly iqn: (id: string) => string
  /** Keeps the ledger's copy; rejects with `LeaseError`. */
  readonly keepCopy: (record: LeaseRecord) => Promise<void>
}

export class LeaseLuns {
  readonly #parts: LeaseLunsParts
  readonly #changes = new OneAtATime()

  constructor(parts: LeaseLunsParts) {
    this.#parts = parts
  }

  /** Adds the LUN that `plan` makes of those that the lease has then. Rejects with `LeaseError`. */
  add(id: string, plan: (lease: Lease) => PlannedLun): Promise<void> {
    return this.#inTurn(id, async () => {
      const { keeper, sessions, iqn } = this.#parts
      const grant = await keeper.turn(id, () => this.#add(this.usable(id), plan))
      if (grant) await sessions.addLuns(iqn(id), [grant])
    })
  }

  /** Takes a LUN away, with all that is on it. Rejects with `LeaseError`. */
  remove(id: string, lun: number): Promise<void> {
    return this.#inTurn(id, async () => {
      const { keeper, sessions, volumes, iqn } = this.#parts
      await keeper.turn(id, () => this.#strike(this.usable(id), lun))
      await sessions.removeLuns(iqn(id), [lun])
      await keeper.turn(id, () => volumes.remove(id, [lun]))
    })
  }

  /** Makes a LUN larger; `check` throws when it may not. What was begun is finished at the next start. Rejects with `LeaseError`. */
  resize(id: string, number: number, sizeBytes: number, check: (lun: LeaseLun) => void): Promise<void> {
    return this.#inTurn(id, () =>
      this.#parts.keeper.turn(id, async () => {
        const lease = this.usable(id)
        const lun = lunOf(lease, number)
        check(lun)
        await this.#parts.holdings.during(lease.record, sizeBytes - lun.sizeBytes, async () => {
          await this.write(lease, withLun(lease, { ...lun, growsTo: sizeBytes }))
          await this.grow(lease, lunOf(lease, number))
        })
      }),
    )
  }

  /** Finishes what `resize` has written down, in the lease's turn. Rejects with `LeaseError`; the LUN is what it was then. */
  async grow(lease: Lease, { growsTo = 0, ...lun }: LeaseLun): Promise<void> {
    try {
      await this.#parts.volumes.grow(lease.record.id, lun, growsTo, lease.life.stage === 'attached')
    } catch (error) {
      await this.write(lease, withLun(lease, lun))
      throw error
    }
    await this.write(lease, withLun(lease, { ...lun, sizeBytes: growsTo }))
  }

  /** One change of the LUNs of an account after the other. */
  #inTurn(id: string, change: () => Promise<void>): Promise<void> {
    return this.#changes.run(this.#parts.book.get(id)?.record.accountId ?? '', change)
  }

  /** A lease that can be changed. Throws `LeaseError`. */
  usable(id: string): Lease {
    const lease = this.#parts.book.get(id)
    if (!lease) throw leaseError('lease-unknown', `there is no session ${id}`)
    if (lease.refused !== undefined) throw leaseError('refused', `session ${id} is refused: ${lease.refused}`)
    const { stage } = lease.life
    if (stage !== 'suspended' && stage !== 'attached') throw leaseError('busy', `session ${id} is ${stage}`)
    return lease
  }

  /** Writes other LUNs down, in the lease's turn; if that fails the lease is what it was. Rejects with `LeaseError`. */
  async write(lease: Lease, luns: readonly LeaseLun[]): Promise<void> {
    const { book, keepCopy } = this.#parts
    const before = lease.record
    const after = { ...before, revision: before.revision + 1, luns }
    try {
      await book.write(lease, after)
      await keepCopy(after)
    } catch (error) {
      await book.note(lease, { ...lease.record, revision: after.revision + 1, luns: before.luns })
      await keepCopy(lease.record).catch(() => undefined) // the next start makes it from the record
      throw error
    }
  }

  async #add(lease: Lease, plan: (lease: Lease) => PlannedLun): Promise<LunGrant | undefined> {
    const planned = plan(lease)
    return this.#parts.holdings.during(lease.record, planned.sizeBytes, () => this.#make(lease, planned))
  }

  async #make(lease: Lease, { base, ...lun }: PlannedLun): Promise<LunGrant | undefined> {
    const { volumes } = this.#parts
    const { id, luns } = lease.record
    // What is left of an earlier LUN of that number must never be seen in this one.
    await volumes.remove(id, [lun.lun])
    await volumes.make(id, [{ ...lun, base }])
    try {
      await this.write(
        lease,
        [...luns, lun].sort((a, b) => a.lun - b.lun),
      )
    } catch (error) {
      await volumes.remove(id, [lun.lun])
      throw error
    }
    return lease.life.stage === 'attached' ? volumes.openOne(id, lun) : undefined
  }

  async #strike(lease: Lease, number: number): Promise<void> {
    const { luns } = lease.record
    lunOf(lease, number)
    if (luns.length === 1) throw leaseError('luns-missing', 'the session has no other LUN; remove the session')
    await this.write(
      lease,
      luns.filter(({ lun }) => lun !== number),
    )
  }
}

/** A LUN that the lease has. Throws `LeaseError`. */
export function lunOf({ record }: Lease, number: number): LeaseLun {
  const found = record.luns.find(({ lun }) => lun === number)
  if (!found) throw leaseError('lun-unknown', `the session has no LUN ${number}`)
  return found
}

function withLun({ record }: Lease, changed: LeaseLun): LeaseLun[] {
  return record.luns.map(lun => (lun.lun === changed.lun ? changed : lun))
}
