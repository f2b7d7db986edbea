/**
 * Who may log in to which target, and who is shown which.
 *
 *   | logs in to             | must prove                                  | is shown by SendTargets                         |
 *   | a target without auth  | nothing                                     | that target                                     |
 *   | a target with CHAP     | its credential                              | that target                                     |
 *   | discovery              | nothing, unless `discovery.auth` demands it | targets without auth                            |
 *   |   with a target's name and secret                                    | also those that have this very credential       |
 *   |   with those of `discovery.auth`                                     | all                                             |
 *
 * So nobody is shown a target that he could not log in to, except by the credential that the operator made for it.
 */
import type { AuthConfig } from '@scsipub/config'
import type { ChapProof, ChapProven, LoginAuth } from '@scsipub/iscsi'
import { ChapJudge } from './chap-judge.js'
import { type Credential, credentialOf } from './credential.js'
import type { Target, TargetDirectory } from './targets.js'

export class Access {
  readonly #directory: TargetDirectory
  readonly #ofDiscovery: Credential | undefined
  readonly #judge = new ChapJudge()

  constructor(directory: TargetDirectory, discovery: AuthConfig) {
    this.#directory = directory
    this.#ofDiscovery = credentialOf(discovery)
  }

  /** What a connection must prove that logs in to `target`, or to discovery without one; begins its trial. */
  demand(connectionId: number, target: Target | undefined): LoginAuth {
    const credentials = this.#credentials(target)
    if (credentials.length === 0) return { auth: 'none' }
    const algorithms = [...new Set(credentials.flatMap(credential => credential.algorithms))]
    const challenge = this.#judge.challenge(connectionId, credentials)
    return { auth: 'chap', optional: !this.#demands(target), algorithms, ...challenge }
  }

  /** See `ChapJudge.judge`. */
  judge(connectionId: number, proof: ChapProof): ChapProven | { readonly wrong: string } {
    return this.#judge.judge(connectionId, proof)
  }

  /** The name that a connection has proved for `target`; undefined when it must prove one and has not, '' when it need not. */
  principal(connectionId: number, target: Target | undefined): string | undefined {
    const wanted = this.#credentials(target)
    const proven = this.#judge.provenBy(connectionId).find(credential => wanted.includes(credential))
    if (proven) return proven.user
    return this.#demands(target) ? undefined : ''
  }

  /** The targets that a connection of discovery is shown. */
  visible(connectionId: number): Target[] {
    const proven = this.#judge.provenBy(connectionId)
    const all = this.#directory.all()
    if (this.#ofDiscovery && proven.includes(this.#ofDiscovery)) return all
    return all.filter(({ credential }) => !credential || proven.includes(credential))
  }

  /** The connection has ended. */
  forget(connectionId: number): void {
    this.#judge.forget(connectionId)
  }

  /** What would do; in discovery, any credential that there is. */
  #credentials(target: Target | undefined): Credential[] {
    if (target) return target.credential ? [target.credential] : []
    const ofTargets = this.#directory.shared().flatMap(({ credential }) => credential ?? [])
    return this.#ofDiscovery ? [this.#ofDiscovery, ...ofTargets] : ofTargets
  }

  #demands(target: Target | undefined): boolean {
    return (target ? target.credential : this.#ofDiscovery) !== undefined
  }
}
