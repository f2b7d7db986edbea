// A refused login as a value: what the Login Response says, and why, for the log.

import { LoginStatus } from './codes.js'

export interface LoginRefusal {
  readonly kind: 'loginStatus'
  /** Status-Class and Status-Detail [7143 §11.13.5]. */
  readonly class: number
  readonly detail: number
  readonly why: string
  /** Where the target is now, `host:port`; with class 1 only [7143 §13.8]. */
  readonly targetAddress?: string
}

/** A refusal with a status out of the table; initiator error (0200) fits every breach of the protocol. */
export function refuse(
  why: string,
  status: { class: number; detail: number } = LoginStatus.initiatorError,
): LoginRefusal {
  return { kind: 'loginStatus', class: status.class, detail: status.detail, why }
}
