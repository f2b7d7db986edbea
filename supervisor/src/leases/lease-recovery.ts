/**
 * What a start makes of what it finds: the record in the state store, the entry of the ledger, and which volumes there are. A table without effects, so that every
 * case can be looked at. Its one rule: nothing is removed that somebody was told to have, unless somebody has decided so and that is written down.
 *
 *   | record             | ledger     | volumes       |                                                              |
 *   | any or none        | evicting   |               | finish the eviction                                          |
 *   | evicting           |            |               | finish the eviction                                          |
 *   | damaged            |            |               | refuse the lease: its name in the log, its volumes kept      |
 *   | provisioning       | –          |               | undo: nobody was told of it                                  |
 *   | any other          | a copy     | all there     | serve, by the higher revision                                |
 *   | any other          | a copy     | some missing  | by the copy, if those are there; else refuse                 |
 *   | suspended/attached | –          | all there     | serve, and make the copy                                     |
 *   | suspended/attached | –          | some missing  | refuse: never show an empty disk in place of a lost one      |
 *   | none               | a copy     |               | the store has lost it: serve, and write it again             |
 *   | none               | –          | some          | nobody was told of it: remove, unless the ledger is new      |
 */
import type { LedgerEntry } from './lease-ledger.js'
import type { LeaseRecord } from './lease-record.js'

export interface Found {
  /** A string says why it is damaged. */
  readonly record: LeaseRecord | string | undefined
  readonly ledger: LedgerEntry | undefined
  /** The ledger's copy, where `needsCopy` says so; a string says why it cannot be read. */
  readonly copy?: LeaseRecord | string | undefined
  /** LUNs that have a volume. */
  readonly volumes: readonly number[]
  readonly ledgerIsNew: boolean
}

export type Verdict =
  | { readonly act: 'serve'; readonly record: LeaseRecord; readonly from: 'store' | 'ledger' }
  | { readonly act: 'evict'; readonly record: LeaseRecord | undefined }
  | { readonly act: 'refuse'; readonly record: LeaseRecord | undefined; readonly why: string }
  | { readonly act: 'remove' }
  | { readonly act: 'keep' }

/** Whether `judge` has to see the ledger's copy. */
export function needsCopy({ record, ledger, volumes }: Omit<Found, 'copy'>): boolean {
  if (typeof ledger !== 'number' || typeof record === 'string') return false
  return !record || record.state === 'provisioning' || record.revision < ledger || !isComplete(record, volumes)
}

/** What is to be done with a lease. */
export function judge(found: Found): Verdict {
  const { record, ledger, copy, volumes, ledgerIsNew } = found
  const known = typeof record === 'string' ? undefined : record
  if (ledger === 'evicting' || known?.state === 'evicting') return { act: 'evict', record: known }
  if (typeof record === 'string') return { act: 'refuse', record: undefined, why: `its record is damaged: ${record}` }
  if (ledger === undefined) {
    if (!known) return { act: ledgerIsNew ? 'keep' : 'remove' }
    if (known.state === 'provisioning') return { act: 'evict', record: known }
  }
  if (known && known.state !== 'provisioning' && known.revision >= (ledger ?? 0) && isComplete(known, volumes))
    return { act: 'serve', record: known, from: 'store' }
  if (copy === undefined) return { act: 'refuse', record: known, why: 'volumes of it are missing' }
  if (typeof copy === 'string')
    return { act: 'refuse', record: known, why: `its copy in the data directory cannot be read: ${copy}` }
  if (!isComplete(copy, volumes)) return { act: 'refuse', record: copy, why: 'volumes of it are missing' }
  const revision = Math.max(copy.revision, known?.revision ?? 0)
  return { act: 'serve', record: { ...copy, revision }, from: 'ledger' }
}

function isComplete({ luns }: LeaseRecord, volumes: readonly number[]): boolean {
  return luns.every(({ lun }) => volumes.includes(lun))
}
