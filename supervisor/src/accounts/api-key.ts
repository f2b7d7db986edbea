/**
 * API keys: `scsipub_ACCOUNT_SECRET`, where SECRET is 256 random bits. The prefix lets scanners find a key that has strayed into a
 * repository; the account's id lets one record be looked up, and compared in constant time. Only the SHA-256 of a key is kept: with
 * that much randomness no slower hash is needed.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

const SECRET_BYTES = 32
const ID_BYTES = 8
const KEY = /^scsipub_([0-9a-f]{16})_[A-Za-z0-9_-]{43}$/

/** An id that no other account has. */
export function newAccountId(): string {
  return randomBytes(ID_BYTES).toString('hex')
}

export function newApiKey(accountId: string): string {
  return `scsipub_${accountId}_${randomBytes(SECRET_BYTES).toString('base64url')}`
}

/** The account that a key says it belongs to; undefined when it is no key at all. */
export function accountIdOf(key: string): string | undefined {
  return KEY.exec(key)?.[1]
}

/** What is kept of a secret: its SHA-256, in hexadecimal. */
export function digestOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}

/** Whether `secret` is the one that `digest` was made of, in constant time. */
export function isSecretOf(digest: string, secret: string): boolean {
  return timingSafeEqual(Buffer.from(digest, 'hex'), createHash('sha256').update(secret).digest())
}
