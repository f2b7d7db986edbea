/**
 * Who may log in to which target, and who is shown which.
 *
 *   | logs in to             | must prove                                  | is shown by SendTargets                         |
 *   | a target without auth  | nothing                                     | that target                                     |
 *   | a target with CHAP     | its credential                              | that target                                     |
 *   | discovery              | nothing, unless `discovery.auth` demands it | targets without auth                            |
 *   |   with a target's name and secret                                    | also those that have this very credential       |
 *   |   with those of `discovery.auth`                                     | all, but no leases                              |
 *   |   with a lease's name and secret                                     | that lease, and targets without auth            |
 *
 * So nobody is shown a target that he could not log in to, except by the credential that the operator made for it.
 */
import type { AuthConfig } from '@scsipub/config'
import { CHAP_ALGORITHMS, type ChapAlgorithm, type ChapProof, type ChapProven, type LoginAuth } from '@scsipub/iscsi'
import { ChapJudge } from './chap-judge.js'
import { type Credential, credentialOf } from './credential.js'
import type { Target, TargetDirectory } from './targets.js'

const ALL_ALGORITHMS = Object.keys(CHAP_ALGORITHMS) as ChapAlgorithm[]

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
    const mayBeLease = !target && this.#directory.hasLeases
    if (credentials.length === 0 && !mayBeLease) return { auth: 'none' }
    const offered = credentials.flatMap(credential => credential.algorithms)
    const algorithms = mayBeLease ? [...ALL_ALGORITHMS] : [...new Set(offered)]
    const challenge = this.#judge.challenge(connectionId, target?.name, user => this.#candidates(target, user))
    return { auth: 'chap', optional: !this.#demands(target), algorithms, ...challenge }
  }

  /** See `ChapJudge.judge`. */
  judge(connectionId: number, proof: ChapProof): ChapProven | { readonly wrong: string } {
    return this.#judge.judge(connectionId, proof)
  }

  /** The name that a connection has proved for `target`; undefined when it must prove one and has not, '' when it need not. */
  principal(connectionId: number, target: Target | undefined): string | undefined {
    const proven = this.#judge
      .provenBy(connectionId)
      .find(credential => this.#candidates(target, credential.user).includes(credential))
    if (proven) return proven.user
    return this.#demands(target) ? undefined : ''
  }

  /** The targets that a connection of discovery is shown. */
  visible(connectionId: number): Target[] {
    const proven = this.#judge.provenBy(connectionId)
    const leases = proven.flatMap(({ user }) => this.#directory.ofUser(user) ?? [])
    const all = [...this.#directory.all(), ...leases]
    if (this.#ofDiscovery && proven.includes(this.#ofDiscovery)) return all
    return all.filter(({ credential }) => !credential || proven.includes(credential))
  }

  /** What connections were asked for and have proved, as plain data for another process of the server. */
  export(): ReturnType<ChapJudge['export']> {
    return this.#judge.export()
  }

  /** Goes on with what another process has; targets are those of this one, and a target that is gone has nobody who would do. */
  import(estate: ReturnType<ChapJudge['export']>): void {
    this.#judge.import(estate, name => {
      const target = name === undefined ? undefined : this.#directory.find(name)
      return name !== undefined && !target ? () => [] : user => this.#candidates(target, user)
    })
  }

  /** The connection has ended. */
  forget(connectionId: number): void {
    this.#judge.forget(connectionId)
  }

  /** What would do for somebody of that name; in discovery, a lease's credential too. */
  #candidates(target: Target | undefined, user: string): Credential[] {
    const credentials = this.#credentials(target)
    const lease = target ? undefined : this.#directory.ofUser(user)?.credential
    return lease ? [...credentials, lease] : credentials
  }

  /** What would do; in discovery, any credential that there is but those of leases. */
  #credentials(target: Target | undefined): Credential[] {
    if (target) return target.credential ? [target.credential] : []
    const ofTargets = this.#directory.shared().flatMap(({ credential }) => credential ?? [])
    return this.#ofDiscovery ? [this.#ofDiscovery, ...ofTargets] : ofTargets
  }

  #demands(target: Target | undefined): boolean {
    return (target ? target.credential : this.#ofDiscovery) !== undefined
  }
}
