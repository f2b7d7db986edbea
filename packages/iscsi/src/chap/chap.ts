// CHAP as the target has it: which keys it takes when, and what it answers [7143 §12.1.3].
//
//   initiator                                      target
//   CHAP_A=5,7                       ───────▶
//                                    ◀───────      CHAP_A=7 CHAP_I=… CHAP_C=0x…
//   CHAP_N=… CHAP_R=0x…
//     (and CHAP_I=… CHAP_C=0x…)      ───────▶      proof: the caller judges it, see `ChapProof`
//                                    ◀───────      (CHAP_N=… CHAP_R=0x…)
//
// No secret is ever here: the caller made the challenge, knows the secrets, compares the response, and answers the
// initiator's challenge if there is one. A state waits for its keys and for no others; what is malformed or out of turn is an
// initiator error (0200), a proof that cannot be right an authentication failure (0201).

import { parseBinary } from '../binary-value.js'
import { LoginStatus } from '../codes.js'
import type { LoginRefusal } from '../login-refusal.js'
import { refuse } from '../login-refusal.js'
import type { TextPair } from '../text.js'
import { parseList, parseNumber } from '../value.js'
import { CHAP_ALGORITHMS, type ChapAlgorithm, chapAlgorithm, MAX_CHAP_BYTES } from './algorithms.js'

const MAX_IDENTIFIER = 255

/** What the target begins with. The challenge is used once and never again, by nobody. */
export interface ChapChallenge {
  /** Those that the target takes, at least one. */
  readonly algorithms: readonly ChapAlgorithm[]
  /** 0 to 255. */
  readonly identifier: number
  /** Hexadecimal digits, two a byte. */
  readonly challenge: string
}

/** What the initiator says to prove who it is; values are hexadecimal digits, two a byte. */
export interface ChapProof {
  readonly algorithm: ChapAlgorithm
  readonly user: string
  /** As long as a digest of the algorithm. */
  readonly response: string
  /** The initiator wants a proof in return, of this challenge. */
  readonly mutual?: { readonly identifier: number; readonly challenge: string }
}

/** The caller's yes to a proof; `mutual` has the target's own, and must be there when it was asked for. */
export interface ChapProven {
  readonly mutual?: { readonly user: string; readonly response: string }
}

type State =
  | { readonly name: 'algorithm' }
  | { readonly name: 'response'; readonly algorithm: ChapAlgorithm }
  | { readonly name: 'judging'; readonly proof: ChapProof }
  | { readonly name: 'done' }

export class Chap {
  readonly #begin: ChapChallenge
  #state: State = { name: 'algorithm' }

  constructor(begin: ChapChallenge) {
    this.#begin = begin
  }

  get done(): boolean {
    return this.#state.name === 'done'
  }

  /** The proof that the caller has to judge now. */
  get proof(): ChapProof | undefined {
    return this.#state.name === 'judging' ? this.#state.proof : undefined
  }

  /** Takes the CHAP keys of one text; none at all is no step. */
  take(pairs: readonly TextPair[]): TextPair[] | LoginRefusal {
    if (pairs.length === 0) return []
    const keys = new Map(pairs.map(({ key, value }) => [key, value]))
    switch (this.#state.name) {
      case 'algorithm':
        return unexpected(keys, ['CHAP_A']) ?? this.#choose(keys.get('CHAP_A') ?? '')
      case 'response': {
        const wanted = keys.has('CHAP_I') || keys.has('CHAP_C') ? MUTUAL_KEYS : ONE_WAY_KEYS
        return unexpected(keys, wanted) ?? this.#takeProof(keys, this.#state.algorithm)
      }
      default:
        return refuse(`${pairs[0]?.key} after the authentication [7143 §12.1.3]`)
    }
  }

  /** The caller has found the proof right; the value is what is told the initiator. */
  proven({ mutual }: ChapProven): TextPair[] | LoginRefusal {
    if (this.#state.name !== 'judging') throw new Error('there is no proof to judge')
    const asked = this.#state.proof.mutual !== undefined
    this.#state = { name: 'done' }
    if (!asked) return []
    if (!mutual) return refuse('the target has no secret of its own [7143 §12.1.3]', LoginStatus.authenticationFailure)
    return [
      { key: 'CHAP_N', value: mutual.user },
      { key: 'CHAP_R', value: `0x${mutual.response}` },
    ]
  }

  /** The first algorithm of the initiator's list that the target takes [7143 §6.2.1, §12.1.3]. */
  #choose(list: string): TextPair[] | LoginRefusal {
    const { algorithms, identifier, challenge } = this.#begin
    const numbers = parseList(list)?.map(parseNumber)
    if (!numbers) return refuse('CHAP_A is no list [7143 §12.1.3]')
    const algorithm = numbers
      .map(number => (number === undefined ? undefined : chapAlgorithm(number)))
      .find(known => known !== undefined && algorithms.includes(known))
    if (!algorithm) return refuse('no common algorithm in CHAP_A [7143 §12.1.3]', LoginStatus.authenticationFailure)
    this.#state = { name: 'response', algorithm }
    return [
      { key: 'CHAP_A', value: String(CHAP_ALGORITHMS[algorithm].number) },
      { key: 'CHAP_I', value: String(identifier) },
      { key: 'CHAP_C', value: `0x${challenge}` },
    ]
  }

  #takeProof(keys: ReadonlyMap<string, string>, algorithm: ChapAlgorithm): TextPair[] | LoginRefusal {
    const response = parseBinary(keys.get('CHAP_R') ?? '', MAX_CHAP_BYTES)
    if (!response) return refuse('CHAP_R is no binary value of at most 1024 bytes [7143 §12.1.3]')
    if (response.length !== CHAP_ALGORITHMS[algorithm].digestBytes) {
      return refuse('CHAP_R is not as long as a digest [1994 §4.1]', LoginStatus.authenticationFailure)
    }
    const mutual = readMutual(keys)
    if (mutual && 'kind' in mutual) return mutual
    // The name is text, whatever it looks like [7143 §12.1.3].
    const proof = { algorithm, user: keys.get('CHAP_N') ?? '', response: response.toString('hex') }
    this.#state = { name: 'judging', proof: mutual ? { ...proof, mutual } : proof }
    return []
  }
}

const ONE_WAY_KEYS = ['CHAP_N', 'CHAP_R']
const MUTUAL_KEYS = [...ONE_WAY_KEYS, 'CHAP_I', 'CHAP_C']

/** A refusal unless `keys` are exactly the wanted ones. */
function unexpected(keys: ReadonlyMap<string, string>, wanted: readonly string[]): LoginRefusal | undefined {
  for (const key of keys.keys()) if (!wanted.includes(key)) return refuse(`${key} out of turn [7143 §12.1.3]`)
  const missing = wanted.find(key => !keys.has(key))
  return missing === undefined ? undefined : refuse(`${missing} is missing [7143 §12.1.3]`)
}

function readMutual(keys: ReadonlyMap<string, string>): ChapProof['mutual'] | LoginRefusal {
  const [identifierText, challengeText] = [keys.get('CHAP_I'), keys.get('CHAP_C')]
  if (identifierText === undefined || challengeText === undefined) return undefined
  const identifier = parseNumber(identifierText)
  if (identifier === undefined || identifier > MAX_IDENTIFIER) return refuse('CHAP_I is no byte [1994 §4.1]')
  const challenge = parseBinary(challengeText, MAX_CHAP_BYTES)
  if (!challenge) return refuse('CHAP_C is no binary value of at most 1024 bytes [7143 §12.1.3]')
  return { identifier, challenge: challenge.toString('hex') }
}
