/** A lease as its owner sees it. */
import type { Lease } from './lease-book.js'
import type { LeaseKeeper } from './lease-keeper.js'
import type { LeaseState } from './lease-record.js'

export interface LeaseLunView {
  readonly lun: number
  /** Name of the image that it began as. */
  readonly image: string | 'blank'
  readonly sizeBytes: number
}

/** Times as ISO 8601. `chapSecret` is for its owner alone. */
export interface LeaseView {
  readonly id: string
  readonly accountId: string
  readonly name?: string
  readonly iqn: string
  readonly chapUser: string
  readonly chapSecret: string
  readonly state: LeaseState
  readonly luns: readonly LeaseLunView[]
  readonly createdAt: string
  /** When it is evicted if nobody uses it from now on. */
  readonly expiresAt: string
  readonly attachedSessions: number
  /** It is suspended, and the last tenth of its time has begun. */
  readonly expiring: boolean
  /** Why logins to it are refused, when they are. */
  readonly refused?: string
}

/** The lease as it is now. */
export function viewOf(lease: Lease, keeper: LeaseKeeper, iqn: string): LeaseView {
  const { id, accountId, name, chapSecret, createdAt, luns } = lease.record
  const { stage, sessions } = lease.life
  return {
    id,
    accountId,
    ...(name !== undefined && { name }),
    iqn,
    chapUser: id,
    chapSecret,
    state: stage === 'gone' ? 'evicting' : stage,
    luns: luns.map(({ lun, image = 'blank', sizeBytes }) => ({ lun, image, sizeBytes })),
    createdAt: new Date(createdAt).toISOString(),
    expiresAt: new Date(keeper.deadlineOf(lease)).toISOString(),
    attachedSessions: sessions,
    expiring: keeper.isExpiring(lease),
    ...(lease.refused !== undefined && { refused: lease.refused }),
  }
}
