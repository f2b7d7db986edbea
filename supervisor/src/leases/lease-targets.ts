/** Leases as logins look for them: by the end of their IQN, which is their id, and by their CHAP name, which is the same. */
import { type Credential, credentialOf } from '../credential.js'
import { serviceUnavailable, targetError } from '../login-status.js'
import type { LeaseTargets, Target } from '../targets.js'
import type { Lease, LeaseBook } from './lease-book.js'
import { isLeaseId } from './lease-names.js'

export class LeaseTargetList implements LeaseTargets {
  readonly #book: LeaseBook
  readonly #iqn: (id: string) => string
  readonly #isLoaded: () => boolean

  constructor(parts: { book: LeaseBook; iqn: (id: string) => string; isLoaded: () => boolean }) {
    this.#book = parts.book
    this.#iqn = parts.iqn
    this.#isLoaded = parts.isLoaded
  }

  get count(): number {
    return this.#book.size
  }

  /** A lease that cannot be had now is found too, with the refusal. Before the leases have been read, every name that a lease may have is one. */
  find(leaf: string): Target | undefined {
    if (!isLeaseId(leaf)) return undefined
    const lease = this.#book.get(leaf)
    if (lease) return this.#target(lease)
    const damaged = this.#book.damaged.get(leaf)
    if (damaged === undefined && this.#isLoaded()) return undefined
    const refuse =
      damaged === undefined ? serviceUnavailable('the state store has not been there yet') : targetError(damaged)
    return { name: this.#iqn(leaf), private: false, disks: [], lease: leaf, refuse }
  }

  ofUser(user: string): Target | undefined {
    const lease = isLeaseId(user) ? this.#book.get(user) : undefined
    return lease && this.#target(lease)
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
}

function credential(user: string, secret: string): Credential {
  const made = credentialOf({ chap: { user, secret } })
  if (!made) throw new Error('CHAP has a credential')
  return made
}
