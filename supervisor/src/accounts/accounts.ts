/**
 * Accounts: who may lease disks, and by which key. They live in the state store and nowhere else, so that a key that was revoked anywhere
 * is revoked everywhere at once.
 *
 * Left out: signing up, changing a name or a tier, several keys of an account. An operator makes and removes accounts.
 */
import { isDamaged, type StateRecord, type StateStore } from '@scsipub/state'
import type { Log } from '../log.js'
import { compileRecord } from '../record-schema.js'
import { accountIdOf, digestOf, isSecretOf, newAccountId, newApiKey } from './api-key.js'

export interface Account {
  readonly id: string
  /** For people. */
  readonly name: string
  /** Names the limits in the configuration. */
  readonly tier: string
  /** RFC 3339. */
  readonly createdAt: string
}

/** A record that cannot be used: its key opens nothing, and it can be removed. */
export interface DamagedAccount {
  readonly id: string
  readonly damaged: string
}

interface AccountRecord extends Omit<Account, 'id'> {
  readonly keyDigest: string
}

const COLLECTION = 'accounts'
const text = { type: 'string' } as const
const isAccountRecord = compileRecord<AccountRecord>({
  type: 'object',
  required: ['name', 'tier', 'createdAt', 'keyDigest'],
  properties: { name: text, tier: text, createdAt: text, keyDigest: { type: 'string', pattern: '^[0-9a-f]{64}$' } },
})
/** Compared with when there is no such account, so that this takes as long. */
const NOBODY = '0'.repeat(64)

export class Accounts {
  readonly #store: Pick<StateStore, 'list' | 'get' | 'put' | 'remove'>
  readonly #log: Log

  constructor(parts: { store: Pick<StateStore, 'list' | 'get' | 'put' | 'remove'>; log: Log }) {
    this.#store = parts.store
    this.#log = parts.log
  }

  /** Makes an account. The key is told here and never again. Rejects with `StateError`. */
  async create({ name, tier }: { name: string; tier: string }): Promise<{ account: Account; apiKey: string }> {
    const id = newAccountId()
    const apiKey = newApiKey(id)
    const account = { name, tier, createdAt: new Date().toISOString() }
    const record: AccountRecord = { ...account, keyDigest: digestOf(apiKey) }
    await this.#store.put(COLLECTION, id, record, 0)
    this.#log.info({ event: 'account.created', accountId: id, tier })
    return { account: { id, ...account }, apiKey }
  }

  /** The account whose key it is; undefined when it is nobody's. Rejects with `StateError`. */
  async authenticate(apiKey: string): Promise<Account | undefined> {
    const id = accountIdOf(apiKey)
    if (id === undefined) return undefined
    const found = await this.#read(id)
    const account = found && !('damaged' in found) ? found : undefined
    const mine = isSecretOf(account?.keyDigest ?? NOBODY, apiKey)
    return mine && account ? withoutKey(account) : undefined
  }

  /** All accounts, the eldest first, and what of them cannot be used. Rejects with `StateError`. */
  async list(): Promise<{ accounts: Account[]; damaged: DamagedAccount[] }> {
    const all = (await this.#store.list(COLLECTION)).map(accountOf)
    const accounts = all.flatMap(account => ('damaged' in account ? [] : [withoutKey(account)]))
    accounts.sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1))
    return { accounts, damaged: all.filter(account => 'damaged' in account) }
  }

  /** Revokes the key and forgets the account; false when there is none. Rejects with `StateError`. */
  async remove(id: string): Promise<boolean> {
    const record = await this.#store.get(COLLECTION, id)
    if (!record) return false
    await this.#store.remove(COLLECTION, id, record.version)
    this.#log.info({ event: 'account.removed', accountId: id })
    return true
  }

  async #read(id: string): Promise<(AccountRecord & { id: string }) | DamagedAccount | undefined> {
    const record = await this.#store.get(COLLECTION, id)
    if (!record) return undefined
    const account = accountOf(record)
    if ('damaged' in account) this.#log.warn({ event: 'account.damaged', accountId: id, why: account.damaged })
    return account
  }
}

function accountOf(record: StateRecord): (AccountRecord & { id: string }) | DamagedAccount {
  const { id } = record
  if (isDamaged(record)) return { id, damaged: record.damaged }
  if (isAccountRecord(record.value)) return { id, ...record.value }
  const faults = (isAccountRecord.errors ?? []).map(error => `${error.instancePath || 'it'} ${error.message}`)
  return { id, damaged: faults.join('; ') }
}

function withoutKey({ id, name, tier, createdAt }: Account): Account {
  return { id, name, tier, createdAt }
}
