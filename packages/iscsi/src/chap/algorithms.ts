// The hash algorithms of CHAP and the response that they make [1994 §4.1, 7143 §12.1.3]. Numbers and names are IANA's, of the
// registry "PPP Authentication Algorithms"; all four are registered for iSCSI.

import { createHash } from 'node:crypto'

export const CHAP_ALGORITHMS = {
  md5: { number: 5, hash: 'md5', digestBytes: 16 },
  sha1: { number: 6, hash: 'sha1', digestBytes: 20 },
  sha256: { number: 7, hash: 'sha256', digestBytes: 32 },
  'sha3-256': { number: 8, hash: 'sha3-256', digestBytes: 32 },
} as const

/** Longest challenge and response, in bytes [7143 §12.1.3]. */
export const MAX_CHAP_BYTES = 1024

export type ChapAlgorithm = keyof typeof CHAP_ALGORITHMS

const byNumber = new Map<number, ChapAlgorithm>(
  (Object.keys(CHAP_ALGORITHMS) as ChapAlgorithm[]).map(name => [CHAP_ALGORITHMS[name].number, name]),
)

/** The algorithm of a number in CHAP_A; undefined for one that is not known here. */
export function chapAlgorithm(number: number): ChapAlgorithm | undefined {
  return byNumber.get(number)
}

/**
 * The response to a challenge: the hash over identifier (0 to 255), secret and challenge [1994 §4.1].
 * @returns as many bytes as the algorithm's digest has
 */
export function chapResponse(
  algorithm: ChapAlgorithm,
  { identifier, secret, challenge }: { identifier: number; secret: Uint8Array; challenge: Uint8Array },
): Buffer {
  return createHash(CHAP_ALGORITHMS[algorithm].hash)
    .update(Uint8Array.of(identifier))
    .update(secret)
    .update(challenge)
    .digest()
}
