/**
 * Who has proved what, by CHAP [7143 §12.1.3, §9.2.1]: gives a connection its challenge, judges the proof, and remembers for as long as the
 * connection lives which credentials it has proved. What a session worker says about its initiator is never believed; the
 * supervisor made the challenge, and it alone knows the secrets.
 */
import { randomInt } from 'node:crypto'
import { type ChapProof, type ChapProven, chapResponse } from '@scsipub/iscsi'
import { Challenges } from './challenges.js'
import { type Credential, proves } from './credential.js'

/** The credentials that would do, of which one must have that name: a name finds those of thousands of leases. */
export type Candidates = (user: string) => readonly Credential[]

/** A connection's trial for another process of the server; plain data. */
export interface TrialEstate {
  readonly connectionId: number
  readonly target: string | undefined
  readonly identifier: number
  readonly challenge: Uint8Array | undefined
  /** Names that were proved. */
  readonly proven: readonly string[]
}

interface Trial {
  /** Full name of the target that it is about; undefined in discovery. */
  readonly target: string | undefined
  readonly candidates: Candidates
  readonly identifier: number
  /** Used up by the first proof. */
  challenge: Buffer | undefined
  proven: readonly Credential[]
}

export class ChapJudge {
  readonly #challenges = new Challenges()
  readonly #trials = new Map<number, Trial>()

  /** A challenge for a connection, of which any of `candidates` must be proved. An earlier one of the connection counts no more. */
  challenge(
    connectionId: number,
    target: string | undefined,
    candidates: Candidates,
  ): { identifier: number; challenge: string } {
    const identifier = randomInt(256)
    const challenge = this.#challenges.make()
    this.#trials.set(connectionId, { target, candidates, identifier, challenge, proven: [] })
    return { identifier, challenge: challenge.toString('hex') }
  }

  /**
   * Judges a proof.
   * @returns the target's own proof where one was asked for, or why the initiator is refused, for the log
   */
  judge(connectionId: number, proof: ChapProof): ChapProven | { readonly wrong: string } {
    const trial = this.#trials.get(connectionId)
    const challenge = trial?.challenge
    if (!trial || !challenge) return { wrong: 'there is no challenge, or it has been used' }
    trial.challenge = undefined
    const given = { identifier: trial.identifier, challenge }
    const proven = trial.candidates(proof.user).filter(credential => proves(proof, credential, given))
    const [credential] = proven
    if (proof.mutual && this.#challenges.isOurs(Buffer.from(proof.mutual.challenge, 'hex'))) {
      return { wrong: 'the initiator reflects a challenge of this server [7143 §9.2.1]' }
    }
    if (!credential) return { wrong: 'the name or the secret is wrong' }
    const answer = mutualProof(proof, credential)
    if (!('wrong' in answer)) trial.proven = proven
    return answer
  }

  /** What the connection has proved; empty when nothing was asked of it. */
  provenBy(connectionId: number): readonly Credential[] {
    return this.#trials.get(connectionId)?.proven ?? []
  }

  /** What was asked and proved, and what knows the challenges again. */
  export(): { key: Uint8Array; trials: TrialEstate[] } {
    const trials = [...this.#trials].map(([connectionId, { target, identifier, challenge, proven }]) => {
      return { connectionId, target, identifier, challenge, proven: proven.map(({ user }) => user) }
    })
    return { key: this.#challenges.key, trials }
  }

  /** Goes on with the trials of another process; `candidates`: who would do for a target now. */
  import(
    { key, trials }: { key: Uint8Array; trials: readonly TrialEstate[] },
    candidates: (target: string | undefined) => Candidates,
  ): void {
    this.#challenges.import(key)
    for (const { connectionId, target, identifier, challenge, proven } of trials) {
      const own = candidates(target)
      this.#trials.set(connectionId, {
        target,
        candidates: own,
        identifier,
        challenge: challenge && Buffer.from(challenge),
        proven: proven.flatMap(user => own(user).filter(credential => credential.user === user)),
      })
    }
  }

  /** The connection has ended. */
  forget(connectionId: number): void {
    this.#trials.delete(connectionId)
  }
}

/** Where the target has a secret of its own the initiator must ask for its proof, and where it has none must not. */
function mutualProof(
  { algorithm, mutual }: ChapProof,
  credential: Credential,
): ChapProven | { readonly wrong: string } {
  const own = credential.mutual
  if (!own) return mutual ? { wrong: 'the initiator asks for a proof that this target does not have' } : {}
  if (!mutual) return { wrong: 'the initiator does not ask for the proof of this target' }
  const challenge = Buffer.from(mutual.challenge, 'hex')
  const response = chapResponse(algorithm, { identifier: mutual.identifier, secret: own.secret, challenge })
  return { mutual: { user: own.user, response: response.toString('hex') } }
}
