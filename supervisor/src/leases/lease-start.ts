/** Takes in the leases of this node when the server starts, and does what `lease-recovery.ts` says about each. */
import { isDamaged, type StateStore } from '@scsipub/state'
import type { Log } from '../log.js'
import { NEW_LIFE } from './lease.machine.js'
import type { Lease, LeaseBook } from './lease-book.js'
import type { LeaseKeeper } from './lease-keeper.js'
import type { LeaseLedger } from './lease-ledger.js'
import { leaseVolumeId } from './lease-names.js'
import { type LeaseLun, type LeaseRecord, readLeaseRecord } from './lease-record.js'
import { judge, needsCopy } from './lease-recovery.js'
import type { LeaseVolumes } from './lease-volumes.js'

export interface LeaseStartParts {
  readonly store: StateStore
  readonly book: LeaseBook
  readonly keeper: LeaseKeeper
  readonly ledger: LeaseLedger
  readonly volumes: LeaseVolumes
  readonly log: Log
  readonly now: () => number
  /** Finishes the growing of a LUN, in the lease's turn. */
  readonly grow: (lease: Lease, lun: LeaseLun) => Promise<void>
}

interface Stored {
  readonly record: LeaseRecord | string
  readonly version: number
}

const SUSPENDED = { ...NEW_LIFE, stage: 'suspended' } as const

/**
 * Reads everything and fills the book. What has to be written or removed is left for later: the values do that, one after the other, whether one
 * before has failed or not. Rejects with `StateError` when the store is not there; nothing has been taken in then.
 */
export async function takeIn(parts: LeaseStartParts): Promise<(() => Promise<void>)[]> {
  const { book, keeper, ledger, volumes, log, store, now } = parts
  const stored = await readStored(store)
  const onDisk = await volumes.existing()
  const later: (() => Promise<void>)[] = []
  let elsewhere = 0
  for (const id of new Set([...stored.keys(), ...ledger.entries.keys(), ...onDisk.keys()])) {
    const { record, version = 0 } = stored.get(id) ?? {}
    if (typeof record === 'object' && record.node !== ledger.node) {
      elsewhere++
      continue
    }
    const found = {
      record,
      ledger: ledger.entries.get(id),
      volumes: onDisk.get(id) ?? [],
      ledgerIsNew: ledger.isNew,
    }
    const verdict = judge(needsCopy(found) ? { ...found, copy: await ledger.read(id) } : found)
    switch (verdict.act) {
      case 'serve': {
        const lease = book.add(verdict.record, version, SUSPENDED)
        const wasAttached = verdict.record.state === 'attached'
        // Whoever was attached when the server ended has the lease's whole time to come back.
        if (lease.record.state !== 'suspended') {
          const expiresAt = wasAttached ? now() + lease.record.ttlMs : lease.record.expiresAt
          lease.record = { ...lease.record, state: 'suspended', expiresAt }
        }
        keeper.watch(lease)
        if (verdict.from === 'ledger')
          log.warn({ event: 'lease.record.restored', leaseId: id, why: 'the state store has lost it, or a part of it' })
        if (verdict.from === 'ledger' || wasAttached) later.push(() => rewrite(parts, lease))
        if (found.ledger !== lease.record.revision) later.push(() => ledger.keep(lease.record))
        for (const lun of lease.record.luns) if (lun.growsTo !== undefined) later.push(() => grow(parts, lease, lun))
        later.push(...tidy(parts, lease, found.volumes))
        break
      }
      case 'evict': {
        const gone = { luns: found.volumes.map(lun => ({ lun, sizeBytes: 0 })) }
        const lease = book.add({ ...(verdict.record ?? remains(id, ledger.node)), ...gone }, version, {
          ...NEW_LIFE,
          stage: 'evicting',
        })
        later.push(() => keeper.turn(id, () => keeper.finish(lease)))
        break
      }
      case 'refuse':
        log.warn({ event: 'lease.refused', leaseId: id, why: verdict.why })
        if (verdict.record) book.add(verdict.record, version, SUSPENDED).refused = verdict.why
        else book.damaged.set(id, verdict.why)
        break
      case 'remove':
        later.push(() => removeOrphans(parts, id, found.volumes))
        break
      case 'keep':
        log.warn({
          event: 'lease.volumes.unknown',
          volumes: found.volumes.map(lun => leaseVolumeId(id, lun)),
          why: 'no lease is known to have them, and there was no ledger of leases; they are kept. Remove their folders if nobody needs them',
        })
    }
  }
  if (elsewhere > 0) log.info({ event: 'leases.elsewhere', leases: elsewhere, node: ledger.node })
  return later
}

async function readStored(store: StateStore): Promise<Map<string, Stored>> {
  const stored = new Map<string, Stored>()
  for (const entry of await store.list('leases')) {
    const record = isDamaged(entry) ? entry.damaged : readLeaseRecord(entry.id, entry.value)
    stored.set(entry.id, { record, version: entry.version })
  }
  return stored
}

/** Writes what the book says, unless somebody has done so by now. */
function rewrite({ book, keeper }: LeaseStartParts, lease: Lease): Promise<void> {
  const before = lease.record
  return keeper.turn(before.id, async () => {
    if (lease.record === before && book.get(before.id) === lease) await book.note(lease, before)
  })
}

/** Finishes what was begun, if nobody has done so by now. */
async function grow({ keeper, log, grow }: LeaseStartParts, lease: Lease, lun: LeaseLun): Promise<void> {
  try {
    await keeper.turn(lease.record.id, async () => {
      if (lease.record.luns.includes(lun)) await grow(lease, lun)
    })
  } catch (error) {
    log.warn({ event: 'lease.growth.failed', leaseId: lease.record.id, lun: lun.lun, why: (error as Error).message })
  }
}

/** Removes volumes of LUNs that the lease does not have: the LUN was removed, or its making was not finished. */
function tidy(parts: LeaseStartParts, { record }: Lease, volumes: readonly number[]): (() => Promise<void>)[] {
  const surplus = volumes.filter(number => !record.luns.some(({ lun }) => lun === number))
  return surplus.length === 0 ? [] : [() => removeOrphans(parts, record.id, surplus)]
}

function removeOrphans({ book, keeper, volumes, log }: LeaseStartParts, id: string, luns: readonly number[]) {
  return keeper.turn(id, async () => {
    const has = book.get(id)?.record.luns ?? []
    const unwanted = luns.filter(number => !has.some(({ lun }) => lun === number))
    try {
      await volumes.remove(id, unwanted)
      log.info({ event: 'lease.volumes.removed', volumes: unwanted.map(lun => leaseVolumeId(id, lun)) })
    } catch (error) {
      log.warn({ event: 'lease.volumes.removal.failed', leaseId: id, why: (error as Error).message })
    }
  })
}

/** Stands for a lease of which only the ledger knows, that it is to go. */
function remains(id: string, node: string): LeaseRecord {
  const never = { chapSecret: '', ttlMs: 1, createdAt: 0, expiresAt: 0, accountId: '', luns: [] }
  return { format: 1, id, node, revision: 1, state: 'evicting', ...never }
}
