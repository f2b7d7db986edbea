// The security stage of a login: choosing the method of authentication, then its keys [7143 §12.1].
//
// None and CHAP are known. What CHAP takes and answers is in chap/chap.ts; the login asks nothing but `done` and `proof`.

import { Chap, type ChapChallenge, type ChapProof, type ChapProven } from './chap/chap.js'
import { LoginStatus } from './codes.js'
import type { LoginRefusal } from './login-refusal.js'
import { refuse } from './login-refusal.js'
import type { TextPair } from './text.js'
import { parseList } from './value.js'

/** What a target demands from an initiator; where CHAP is optional, the initiator's own order of preference decides. */
export type LoginAuth =
  | { readonly auth: 'none' }
  | ({ readonly auth: 'chap'; readonly optional: boolean } & ChapChallenge)

/** Keys that belong to the security stage alone [7143 §12]. */
export function isSecurityKey(key: string): boolean {
  return key === 'AuthMethod' || /^(CHAP|SRP|KRB|SPKM)_/.test(key)
}

export class Security {
  readonly #methods: readonly string[]
  readonly #chap: Chap | undefined
  #chosen: string | undefined

  constructor(demand: LoginAuth) {
    this.#methods = demand.auth === 'none' ? ['None'] : demand.optional ? ['CHAP', 'None'] : ['CHAP']
    this.#chap = demand.auth === 'chap' ? new Chap(demand) : undefined
  }

  /** Whether the initiator may leave the stage, or never enter it, as things stand. */
  get done(): boolean {
    if (this.#chosen === undefined) return this.#methods.includes('None')
    return this.#chosen === 'None' || this.#chap?.done === true
  }

  /** What the caller has to judge before the login goes on. */
  get proof(): ChapProof | undefined {
    return this.#chap?.proof
  }

  /** Answers the security keys of one text. */
  take(pairs: readonly TextPair[]): TextPair[] | LoginRefusal {
    const method = pairs.find(({ key }) => key === 'AuthMethod')
    const keys = pairs.filter(({ key }) => key !== 'AuthMethod')
    // The keys of a method belong behind the answer that chose it [7143 §12.1].
    if (this.#chosen === 'CHAP' && this.#chap && !method && keys.every(({ key }) => key.startsWith('CHAP_'))) {
      return this.#chap.take(keys)
    }
    if (keys[0]) return refuse(`${keys[0].key} does not belong to the chosen method [7143 §12.1]`)
    return method ? this.#choose(method.value) : []
  }

  /** The caller has found the proof right; see `Chap.proven`. */
  proven(verdict: ChapProven): TextPair[] | LoginRefusal {
    if (!this.#chap) throw new Error('nobody asked for a proof')
    return this.#chap.proven(verdict)
  }

  #choose(list: string): TextPair[] | LoginRefusal {
    if (this.#chosen !== undefined) return refuse('AuthMethod is negotiated again [7143 §6.2]')
    // The first of the initiator's list that we know, not the one we like best [7143 §6.2.1].
    this.#chosen = parseList(list)?.find(method => this.#methods.includes(method))
    if (this.#chosen === undefined) {
      return refuse('no common AuthMethod [7143 §12.1]', LoginStatus.authenticationFailure)
    }
    return [{ key: 'AuthMethod', value: this.#chosen }]
  }
}
