// The security stage of a login: choosing the method of authentication [7143 §12.1].
//
// None is the only method so far. Another one adds its name to what is known for a target, and takes the keys that follow
// the choice; the login asks nothing but `done`.

import { LoginStatus } from './codes.js'
import type { LoginRefusal } from './login-refusal.js'
import { refuse } from './login-refusal.js'
import type { TextPair } from './text.js'
import { parseList } from './value.js'

/** What a target demands from an initiator. */
export interface LoginAuth {
  readonly auth: 'none'
}

const METHODS = { none: ['None'] } as const satisfies Record<LoginAuth['auth'], readonly string[]>

/** Keys that belong to the security stage alone [7143 §12]. */
export function isSecurityKey(key: string): boolean {
  return key === 'AuthMethod' || /^(CHAP|SRP|KRB|SPKM)_/.test(key)
}

export class Security {
  readonly #methods: readonly string[]
  #chosen: string | undefined

  constructor({ auth }: LoginAuth) {
    this.#methods = METHODS[auth]
  }

  /** Whether the initiator may leave the stage, or never enter it, as things stand. */
  get done(): boolean {
    return this.#chosen === 'None' || (this.#chosen === undefined && this.#methods.includes('None'))
  }

  /** Answers the security keys of one text. */
  take(pairs: readonly TextPair[]): TextPair[] | LoginRefusal {
    const answers: TextPair[] = []
    for (const { key, value } of pairs) {
      if (key !== 'AuthMethod') return refuse(`${key} does not belong to the chosen method [7143 §12.1]`)
      if (this.#chosen !== undefined) return refuse('AuthMethod is negotiated again [7143 §6.2]')
      // The first of the initiator's list that we know, not the one we like best [7143 §6.2.1].
      this.#chosen = parseList(value)?.find(method => this.#methods.includes(method))
      if (this.#chosen === undefined)
        return refuse('no common AuthMethod [7143 §12.1]', LoginStatus.authenticationFailure)
      answers.push({ key, value: this.#chosen })
    }
    return answers
  }
}
