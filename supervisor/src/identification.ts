/**
 * Who logs in to what, and may he: the first questions of a login. An unknown target, a proof that is demanded or wrong, and a target that
 * has moved are answered here; whether there is room, and with which disks, is none of its business.
 */
import { setTimeout } from 'node:timers/promises'
import type { LoginRefusal, SupervisorReplies, SupervisorRequest } from '@scsipub/contract'
import type { Access } from './access.js'
import type { LoginPenalty } from './login-penalty.js'
import { authenticationFailure, missingParameter, targetMoved, targetNotFound } from './login-status.js'
import type { Target, TargetDirectory } from './targets.js'

export type Identify = Extract<SupervisorRequest, { kind: 'target.identify' }>
export type Prove = Extract<SupervisorRequest, { kind: 'chap.prove' }>
export type Open = Extract<SupervisorRequest, { kind: 'nexus.open' }>

type Refused = { readonly refuse: LoginRefusal }

export class Identification {
  readonly #directory: TargetDirectory
  readonly #access: Access
  readonly #penalty: LoginPenalty

  constructor(parts: { directory: TargetDirectory; access: Access; penalty: LoginPenalty }) {
    this.#directory = parts.directory
    this.#access = parts.access
    this.#penalty = parts.penalty
  }

  /** What the initiator must prove, if anything. */
  identify(request: Identify): SupervisorReplies['target.identify'] {
    const found = this.#find(request)
    if ('refuse' in found) return found
    const { target } = found
    if (target?.refuse) return { refuse: target.refuse }
    // Before any proof: initiators should follow then and must after it, but libiscsi follows the first answer only [7143 §11.13.5].
    if (target?.redirect) return { refuse: targetMoved(target.redirect) }
    return this.#access.demand(request.connectionId, target)
  }

  /** Judges a proof; a wrong one of the party at `peerAddress` is answered after a while. */
  async prove(request: Prove, peerAddress: string): Promise<SupervisorReplies['chap.prove']> {
    const found = this.#find(request)
    if ('refuse' in found) return found
    const verdict = this.#access.judge(request.connectionId, request)
    if (!('wrong' in verdict)) return verdict
    await setTimeout(this.#penalty.failed(peerAddress), undefined, { ref: false })
    return { refuse: authenticationFailure(verdict.wrong) }
  }

  /** The target that may be logged in to (none in discovery), and the name that was proved for it, '' where none had to be. */
  permit(request: Open): { readonly target: Target | undefined; readonly user: string } | Refused {
    const found = this.#find(request)
    if ('refuse' in found) return found
    const { target } = found
    if (target?.redirect) return { refuse: targetMoved(target.redirect) }
    const user = this.#access.principal(request.connectionId, target)
    if (user === undefined) return { refuse: authenticationFailure('the initiator has not proved who it is') }
    return { target, user }
  }

  /** The target that is asked for; none in discovery. */
  #find({ sessionType, targetName }: Identify | Prove | Open): { readonly target: Target | undefined } | Refused {
    if (sessionType === 'discovery') return { target: undefined }
    if (targetName === undefined) return { refuse: missingParameter('a normal session needs TargetName [7143 §13.4]') }
    const target = this.#directory.find(targetName)
    return target ? { target } : { refuse: targetNotFound('there is no such target') }
  }
}
