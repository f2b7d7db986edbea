/**
 * The identity of a volume: random, made once, kept with it. NAA type 6, IEEE Registered Extended, as to form
 * [SPC-4 §7.8.6.6.5]; there is no company id to put into it, so all bits but the type are random.
 */
import { randomBytes } from 'node:crypto'

export interface Identity {
  naa: string
  serial: string
}

/** A new identity: `naa` and `serial` of 32 hex digits each. */
export function newIdentity(): Identity {
  return { naa: `6${randomBytes(16).toString('hex').slice(1)}`, serial: randomBytes(16).toString('hex') }
}
