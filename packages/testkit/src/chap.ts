// CHAP as the initiator has it [7143 §12.1.3, 1994 §4.1], step by step, so that a test may do any of them wrong. It shares no code with the
// target: hashes, numbers and encodings are written down once more.

import { createHash, randomBytes } from 'node:crypto'
import { type LoginAnswer, type LoginTalk, transit } from './login-talk.js'
import type { TextKeys } from './text-keys.js'

/** By their numbers: MD5, SHA-1, SHA-256, SHA3-256. */
const HASHES: Readonly<Record<number, string>> = { 5: 'md5', 6: 'sha1', 7: 'sha256', 8: 'sha3-256' }

export type BinaryForm = '0x' | '0X' | '0b' | '0B'

export interface ChapOptions {
  readonly user: string
  readonly secret: string
  /** Value of CHAP_A; `5` unless told. */
  readonly algorithms?: string
  /** How binary values are written; `0x` unless told. */
  readonly form?: BinaryForm
  /** What the target has to prove; it is not asked without. */
  readonly mutual?: { readonly user: string; readonly secret: string }
}

export interface ChapChallenge {
  readonly algorithm: number
  readonly identifier: number
  readonly challenge: Buffer
}

/** A binary value as text. */
export function encodeBinary(bytes: Buffer, form: BinaryForm = '0x'): string {
  const text = form === '0b' || form === '0B' ? bytes.toString('base64') : bytes.toString('hex')
  return form + (form === '0X' ? text.toUpperCase() : text)
}

/** The response that somebody with that secret gives. */
export function respond({ algorithm, identifier, challenge }: ChapChallenge, secret: string): Buffer {
  const hash = createHash(HASHES[algorithm] ?? 'unknown')
  return hash
    .update(Buffer.from([identifier]))
    .update(secret)
    .update(challenge)
    .digest()
}

/** What the target answered to CHAP_A. @throws Error when it is no challenge */
export function readChallenge({ status, transit, keys }: LoginAnswer): ChapChallenge {
  const { CHAP_A = '', CHAP_I = '', CHAP_C = '' } = keys
  if (status !== 0 || transit || !/^0x([0-9a-f]{2}){16,}$/.test(CHAP_C)) {
    throw new Error(`no challenge: status ${status}, ${JSON.stringify(keys)}`)
  }
  return { algorithm: Number(CHAP_A), identifier: Number(CHAP_I), challenge: Buffer.from(CHAP_C.slice(2), 'hex') }
}

/** The keys that prove who we are. */
export function proofKeys(given: ChapChallenge, { user, secret, form }: ChapOptions): TextKeys {
  return { CHAP_N: user, CHAP_R: encodeBinary(respond(given, secret), form) }
}

/** Begins with the security stage and goes as far as the target's challenge; `who` are the keys of the first request. */
export async function askChallenge(talk: LoginTalk, who: TextKeys, algorithms = '5'): Promise<LoginAnswer> {
  const first = await talk.ask({ csg: 0 }, { ...who, AuthMethod: 'CHAP,None' })
  if (first.status !== 0) return first
  if (first.keys.AuthMethod !== 'CHAP') throw new Error(`the target chose ${first.keys.AuthMethod}`)
  return talk.ask({ csg: 0 }, { CHAP_A: algorithms })
}

/**
 * The security stage with CHAP, to its end.
 * @returns the last answer, or the first that is a refusal
 * @throws Error when the target does not prove what it should
 */
export async function authenticate(talk: LoginTalk, who: TextKeys, options: ChapOptions): Promise<LoginAnswer> {
  const asked = await askChallenge(talk, who, options.algorithms)
  if (asked.status !== 0) return asked
  const given = readChallenge(asked)
  const own = { algorithm: given.algorithm, identifier: (given.identifier + 1) & 0xff, challenge: randomBytes(24) }
  const inReturn = { CHAP_I: String(own.identifier), CHAP_C: encodeBinary(own.challenge, options.form) }
  const keys = { ...proofKeys(given, options), ...(options.mutual ? inReturn : {}) }
  const last = await talk.ask(transit(0, 1), keys)
  if (last.status !== 0 || !options.mutual) return last
  const { user, secret } = options.mutual
  if (last.keys.CHAP_N !== user || last.keys.CHAP_R !== encodeBinary(respond(own, secret))) {
    throw new Error('the target has not proved who it is')
  }
  return last
}
