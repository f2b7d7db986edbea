/**
 * What an initiator must prove to know, and what the target proves in return. Secrets live here and in the configuration only: session
 * workers, which read what strangers send, never have one.
 */
import { timingSafeEqual } from 'node:crypto'
import type { AuthConfig } from '@scsipub/config'
import { CHAP_ALGORITHMS, type ChapAlgorithm, type ChapProof, chapResponse } from '@scsipub/iscsi'

export interface Credential {
  readonly user: string
  readonly secret: Buffer
  readonly algorithms: readonly ChapAlgorithm[]
  readonly mutual?: { readonly user: string; readonly secret: Buffer }
}

/** The credential that a configuration demands; undefined where anybody may come. */
export function credentialOf(auth: AuthConfig): Credential | undefined {
  if (auth === 'none') return undefined
  const { user, secret, algorithms, mutual } = auth.chap
  return {
    user,
    secret: Buffer.from(secret),
    algorithms: algorithms ?? (Object.keys(CHAP_ALGORITHMS) as ChapAlgorithm[]),
    ...(mutual && { mutual: { user: mutual.user, secret: Buffer.from(mutual.secret) } }),
  }
}

/**
 * Whether a proof is that of this credential. Takes the same time whatever is wrong: the response is always computed, and compared
 * in constant time [7143 §9.2.1].
 */
export function proves(
  proof: ChapProof,
  credential: Credential,
  given: { identifier: number; challenge: Buffer },
): boolean {
  const { algorithm } = proof
  const expected = chapResponse(algorithm, { ...given, secret: credential.secret })
  const response = Buffer.from(proof.response, 'hex')
  const right = response.length === expected.length && timingSafeEqual(response, expected)
  const named = proof.user === credential.user
  return right && named && credential.algorithms.includes(algorithm)
}
