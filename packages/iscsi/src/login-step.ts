// What the login wants its caller to do next, as values.

import type { ChapProof } from './chap/chap.js'
import type { Identity } from './identity.js'
import type { LoginRefusal } from './login-refusal.js'
import type { SessionParameters } from './session-parameters.js'

/**
 * - `respond`: send a Login Response with these fields and this text; after `complete` the full feature phase begins, and
 *   digests with it (they do not yet cover that response).
 * - `identify`: ask who may log in to what, then call `identified`.
 * - `authenticate`: judge whether the initiator is who it says, then call `authenticated`.
 * - `open`: make the session (or add the connection to it), then call `opened`.
 * - `loginStatus`: send a Login Response with this status (and TargetAddress where there is one), then close.
 * - `drop`: close without an answer.
 */
export type LoginStep =
  | {
      readonly kind: 'respond'
      readonly response: {
        readonly transit: boolean
        readonly continue: boolean
        readonly csg: number
        readonly nsg: number
        readonly statusClass: 0
        readonly statusDetail: 0
        readonly tsih: number
      }
      readonly text: Buffer
      readonly complete: boolean
    }
  | ({ readonly kind: 'identify' } & Identity)
  | ({ readonly kind: 'authenticate' } & ChapProof)
  | { readonly kind: 'open'; readonly parameters: SessionParameters; readonly cid: number }
  | LoginRefusal
  | { readonly kind: 'drop'; readonly why: string }

/** The caller's no, with the status to send [7143 §11.13.5]. */
export interface Refused {
  readonly refuse: Omit<LoginRefusal, 'kind'>
}

/** How a Login Response differs from the plain one. */
export interface LoginAnswer {
  readonly transit: boolean
  readonly complete?: boolean
  readonly tsih?: number
}
