// CHAP in the login, seen from the target [7143 §12.1.3, 1994 §4.1]: which keys are taken when, and with which status the others
// are refused. Whether a proof is right is not decided here.

import t from 'tap'
import type { Login, LoginAuth, LoginRequest, LoginStep } from '../index.js'
import {
  CHAP_ALGORITHMS,
  type ChapAlgorithm,
  chapResponse,
  createLogin,
  DEFAULT_OFFER,
  encodeText,
  loginRequest,
  parseText,
} from '../index.js'

const NAMES = { InitiatorName: 'iqn.2025-01.test:box', TargetName: 'iqn.2025-01.pub.scsipub:lab' }
const ALL = Object.keys(CHAP_ALGORITHMS) as ChapAlgorithm[]
const CHALLENGE = '000102030405060708090a0b0c0d0e0f'
const PROOF = { CHAP_N: 'user', CHAP_R: `0x${'ab'.repeat(16)}` }

type Text = Record<string, string> | readonly (readonly [string, string])[]

function chap(fields: Partial<Extract<LoginAuth, { auth: 'chap' }>> = {}): LoginAuth {
  return { auth: 'chap', optional: false, algorithms: ALL, identifier: 7, challenge: CHALLENGE, ...fields }
}

function send(login: Login, text: Text, fields: Partial<LoginRequest> = {}): LoginStep {
  const isid = Buffer.from('00023d000001', 'hex')
  const header = loginRequest.decode(loginRequest.encode({ isid, initiatorTaskTag: 7, cmdSn: 100, ...fields }))
  const pairs = Array.isArray(text) ? text : Object.entries(text)
  return login.request(header, encodeText(pairs.map(([key = '', value = '']) => ({ key, value }))))
}

/** A login that has got as far as the answer to its first request. */
function begin(demand: LoginAuth, text: Text = { AuthMethod: 'CHAP' }): { login: Login; step: LoginStep } {
  const login = createLogin(DEFAULT_OFFER)
  send(login, { ...NAMES, ...text })
  return { login, step: login.identified(demand) }
}

/** A login that has its challenge. */
function challenged(list = '5', demand = chap()): Login {
  const { login } = begin(demand)
  send(login, { CHAP_A: list })
  return login
}

function answers(step: LoginStep): Record<string, string> {
  if (step.kind !== 'respond') throw new Error(`not an answer: ${JSON.stringify(step)}`)
  const pairs = parseText(step.text)
  return Object.fromEntries(Array.isArray(pairs) ? pairs.map(({ key, value }) => [key, value]) : [])
}

/** `openssl dgst` of the bytes ff, "0123456789abcdef", 00 to 0f. */
const DIGESTS: readonly (readonly [algorithm: ChapAlgorithm, number: number, digest: string])[] = [
  ['md5', 5, '68da7c723b32ce63d8dfe821f342cca5'],
  ['sha1', 6, 'e4721f5e303e595a60ea2fb8a7a2772d3523f6db'],
  ['sha256', 7, '99cac01ef6e5f70ad3f451306ffefcff1562c7edfeeb525333154d28367228bb'],
  ['sha3-256', 8, 'e232892f4a46ca15d9d0075ccbb47522dae08bc70ab383a180b847b72bc72871'],
]

t.test('the response is the hash over identifier, secret and challenge; numbers are IANA’s [1994 §4.1]', async t => {
  for (const [algorithm, number, digest] of DIGESTS) {
    const secret = Buffer.from('0123456789abcdef')
    const response = chapResponse(algorithm, { identifier: 0xff, secret, challenge: Buffer.from(CHALLENGE, 'hex') })
    t.equal(response.toString('hex'), digest, algorithm)
    t.match(CHAP_ALGORITHMS[algorithm], { number, digestBytes: response.length })
  }
  t.equal(DIGESTS.length, ALL.length)
})

t.test('one way: algorithm, challenge, proof, and on [7143 §12.1.3]', async t => {
  const { login, step } = begin(chap(), { AuthMethod: 'CHAP,None' })
  t.match(step, { kind: 'respond', response: { transit: false } })
  t.match(answers(step), { AuthMethod: 'CHAP' })
  const challenge = send(login, { CHAP_A: '5' })
  t.same(answers(challenge), { CHAP_A: '5', CHAP_I: '7', CHAP_C: `0x${CHALLENGE}` })
  t.match(challenge, { response: { transit: false } })
  const proof = send(login, PROOF, { transit: true, nsg: 1 })
  t.same(proof, { kind: 'authenticate', algorithm: 'md5', user: 'user', response: 'ab'.repeat(16) })
  const done = login.authenticated({})
  t.match(done, { kind: 'respond', response: { transit: true, csg: 0, nsg: 1, statusClass: 0 } })
  t.same(answers(done), {})
  t.match(send(login, {}, { csg: 1, transit: true, nsg: 3 }), { kind: 'open' })
})

t.test('mutual: the answer proves the target too, and may end the stage at once [7143 §12.1.3]', async t => {
  for (const nsg of [1, 3]) {
    const login = challenged('7')
    const text = { CHAP_N: 'user', CHAP_R: `0x${'cd'.repeat(32)}`, CHAP_I: '0xFF', CHAP_C: '0bQUJD' }
    const proof = send(login, text, { transit: true, nsg })
    t.match(proof, { kind: 'authenticate', algorithm: 'sha256', mutual: { identifier: 255, challenge: '414243' } })
    const done = login.authenticated({ mutual: { user: 'target', response: 'ef'.repeat(32) } })
    if (nsg === 3) t.match(done, { kind: 'open' })
    const last = done.kind === 'open' ? login.opened({ tsih: 1 }) : done
    t.same(answers(last), { CHAP_N: 'target', CHAP_R: `0x${'ef'.repeat(32)}` })
  }
})

t.test('T in every request, as iPXE sends it, is answered when the stage can be left [7143 §11.12.1]', async t => {
  const login = createLogin(DEFAULT_OFFER)
  send(login, { ...NAMES, AuthMethod: 'CHAP,None' }, { transit: true, nsg: 1 })
  t.match(login.identified(chap()), { response: { transit: false } })
  t.match(send(login, { CHAP_A: '5' }, { transit: true, nsg: 1 }), { response: { transit: false } })
  send(login, PROOF, { transit: true, nsg: 1 })
  t.match(login.authenticated({}), { response: { transit: true, nsg: 1 } })
})

t.test('the first algorithm of the initiator that the target takes [7143 §6.2.1, §12.1.3]', async t => {
  for (const [list, algorithms, chosen] of [
    ['5', ALL, '5'],
    ['8,7,6,5', ALL, '8'],
    ['5,6,7,8', ALL, '5'],
    ['7,5', ALL, '7'],
    ['0x7,5', ALL, '7'],
    ['4,99,x,6', ALL, '6'],
    ['5,6,7,8', ['sha256', 'sha3-256'], '7'],
    ['8,7', ['sha256'], '7'],
  ] as const) {
    const { login } = begin(chap({ algorithms }))
    t.equal(answers(send(login, { CHAP_A: list })).CHAP_A, chosen, `${list} against ${algorithms}`)
  }
})

t.test('AuthMethod is the first of the list that the target takes [7143 §6.2.1, §12.1]', async t => {
  t.same(answers(begin(chap(), { AuthMethod: 'KRB5,None,CHAP' }).step).AuthMethod, 'CHAP')
  const optional = chap({ optional: true })
  t.same(answers(begin(optional, { AuthMethod: 'None,CHAP' }).step).AuthMethod, 'None')
  t.same(answers(begin(optional, { AuthMethod: 'CHAP,None' }).step).AuthMethod, 'CHAP')
  t.same(answers(begin({ auth: 'none' }, { AuthMethod: 'CHAP,None' }).step).AuthMethod, 'None')
})

t.test('where CHAP is optional the security stage may be left out, but not half done [7143 §6.3]', async t => {
  const login = createLogin(DEFAULT_OFFER)
  send(login, NAMES, { csg: 1, transit: true, nsg: 3 })
  t.match(login.identified(chap({ optional: true })), { kind: 'open' })
  const half = begin(chap({ optional: true })).login
  t.match(send(half, {}, { transit: true, nsg: 1 }), { kind: 'respond', response: { transit: false } })
})

t.test('the name is text, whatever it looks like [7143 §12.1.3]', async t => {
  for (const user of ['0x414243', '0bQUJD', '0b', '0x', '123', 'Jörg', ' ']) {
    t.match(send(challenged(), { ...PROOF, CHAP_N: user }), { kind: 'authenticate', user })
  }
})

t.test('binary values in hexadecimal and base64, upper and lower case [7143 §6.1]', async t => {
  const bytes = Buffer.alloc(16, 0xfb)
  const hex = bytes.toString('hex')
  for (const text of [
    `0x${hex}`,
    `0X${hex.toUpperCase()}`,
    `0b${bytes.toString('base64')}`,
    `0B${bytes.toString('base64')}`,
  ]) {
    t.match(send(challenged(), { ...PROOF, CHAP_R: text }), { kind: 'authenticate', response: hex }, text)
  }
})

t.test('a challenge of 1024 bytes is taken in either form [7143 §12.1.3]', async t => {
  const bytes = Buffer.alloc(1024, 0x5a)
  for (const text of [`0x${bytes.toString('hex')}`, `0b${bytes.toString('base64')}`]) {
    const step = send(challenged(), { ...PROOF, CHAP_I: '0', CHAP_C: text })
    t.match(step, { kind: 'authenticate', mutual: { identifier: 0, challenge: bytes.toString('hex') } })
  }
})

const longest = `0x${'00'.repeat(1025)}`
const refusals: readonly [title: string, status: number, text: Text][] = [
  ['no CHAP_R', 0x0200, { CHAP_N: 'user' }],
  ['no CHAP_N', 0x0200, { CHAP_R: PROOF.CHAP_R }],
  ['CHAP_I without CHAP_C', 0x0200, { ...PROOF, CHAP_I: '1' }],
  ['CHAP_C without CHAP_I', 0x0200, { ...PROOF, CHAP_C: '0x0102' }],
  ['a mutual challenge before the proof', 0x0200, { CHAP_I: '1', CHAP_C: '0x0102' }],
  ['CHAP_A again', 0x0200, { CHAP_A: '5' }],
  ['CHAP_A beside the proof', 0x0200, { ...PROOF, CHAP_A: '5' }],
  ['AuthMethod again', 0x0200, { AuthMethod: 'CHAP' }],
  ['AuthMethod beside the proof', 0x0200, { ...PROOF, AuthMethod: 'CHAP' }],
  ['an unknown key of CHAP', 0x0200, { ...PROOF, CHAP_X: '5' }],
  ['a key of another method', 0x0200, { ...PROOF, SRP_U: 'user' }],
  ['an operational key', 0x0200, { ...PROOF, MaxBurstLength: '512' }],
  ['CHAP_R twice with two values', 0x0200, [...Object.entries(PROOF), ['CHAP_R', `0x${'00'.repeat(16)}`]]],
  ['CHAP_N twice with two values', 0x0200, [...Object.entries(PROOF), ['CHAP_N', 'other']]],
  ['CHAP_N of 256 bytes', 0x0200, { ...PROOF, CHAP_N: 'n'.repeat(256) }],
  ['CHAP_R without prefix', 0x0200, { ...PROOF, CHAP_R: 'ab'.repeat(16) }],
  ['CHAP_R with an odd number of digits', 0x0200, { ...PROOF, CHAP_R: `0x${'ab'.repeat(15)}a` }],
  ['CHAP_R that is no hexadecimal', 0x0200, { ...PROOF, CHAP_R: `0x${'xy'.repeat(16)}` }],
  ['CHAP_R that is no base64', 0x0200, { ...PROOF, CHAP_R: '0b!!!!' }],
  ['CHAP_R of 1025 bytes', 0x0200, { ...PROOF, CHAP_R: longest }],
  ['CHAP_R of 1025 bytes in base64', 0x0200, { ...PROOF, CHAP_R: `0b${Buffer.alloc(1025).toString('base64')}` }],
  ['CHAP_R that is a byte short', 0x0201, { ...PROOF, CHAP_R: `0x${'ab'.repeat(15)}` }],
  ['CHAP_R that is a byte long', 0x0201, { ...PROOF, CHAP_R: `0x${'ab'.repeat(17)}` }],
  ['CHAP_I of 256', 0x0200, { ...PROOF, CHAP_I: '256', CHAP_C: '0x01' }],
  ['CHAP_I below 0', 0x0200, { ...PROOF, CHAP_I: '-1', CHAP_C: '0x01' }],
  ['CHAP_I in base64', 0x0200, { ...PROOF, CHAP_I: '0bAQ==', CHAP_C: '0x01' }],
  ['CHAP_C of 1025 bytes', 0x0200, { ...PROOF, CHAP_I: '1', CHAP_C: longest }],
  ['an empty CHAP_C', 0x0200, { ...PROOF, CHAP_I: '1', CHAP_C: '0x' }],
]
for (const [title, status, text] of refusals) {
  t.test(`refused with ${status.toString(16).padStart(4, '0')}: ${title} [7143 §12.1.3]`, async t => {
    const step = send(challenged(), text)
    t.match(step, { kind: 'loginStatus', class: status >> 8, detail: status & 0xff })
  })
}

const early: readonly [title: string, status: number, first: Text, second?: Text][] = [
  ['CHAP_A before AuthMethod is answered', 0x0200, { AuthMethod: 'CHAP', CHAP_A: '5' }],
  ['CHAP_A without AuthMethod', 0x0200, { CHAP_A: '5' }],
  ['None alone', 0x0201, { AuthMethod: 'None' }],
  ['no algorithm in common', 0x0201, { AuthMethod: 'CHAP' }, { CHAP_A: '4,9' }],
  ['a proof before the challenge', 0x0200, { AuthMethod: 'CHAP' }, PROOF],
  ['CHAP_A that is no list', 0x0200, { AuthMethod: 'CHAP' }, { CHAP_A: '5,,7' }],
]
for (const [title, status, first, second] of early) {
  t.test(`refused with ${status.toString(16).padStart(4, '0')}: ${title} [7143 §12.1.3]`, async t => {
    const { login, step } = begin(chap(), first)
    t.match(second ? send(login, second) : step, { kind: 'loginStatus', class: status >> 8, detail: status & 0xff })
  })
}

t.test('a stage left out, or a method that is not known, is no way around CHAP: 0201 [7143 §12.1]', async t => {
  const login = createLogin(DEFAULT_OFFER)
  send(login, NAMES, { csg: 1, transit: true, nsg: 3 })
  t.match(login.identified(chap()), { kind: 'loginStatus', class: 2, detail: 1 })
  const unfinished = challenged()
  t.match(send(unfinished, {}, { transit: true, nsg: 1 }), { response: { transit: false } })
  t.match(send(unfinished, {}, { csg: 1, transit: true, nsg: 3 }), { kind: 'loginStatus', class: 2, detail: 0 })
})

t.test('a proof that the caller does not accept ends the login with its status', async t => {
  const login = challenged()
  send(login, PROOF)
  const refused = login.authenticated({ refuse: { class: 2, detail: 1, why: 'wrong' } })
  t.match(refused, { kind: 'loginStatus', class: 2, detail: 1, why: 'wrong' })
  t.match(send(login, PROOF), { kind: 'drop' })
})

t.test('who asks for a proof in return and cannot get one is refused with 0201 [7143 §12.1.3]', async t => {
  const login = challenged()
  send(login, { ...PROOF, CHAP_I: '1', CHAP_C: '0x01' })
  t.match(login.authenticated({}), { kind: 'loginStatus', class: 2, detail: 1 })
})

t.test('keys of CHAP after the proof are out of turn [7143 §12.1.3]', async t => {
  const login = challenged()
  send(login, PROOF)
  t.match(login.authenticated({}), { kind: 'respond', response: { transit: false } })
  t.match(send(login, PROOF), { kind: 'loginStatus', class: 2, detail: 0 })
})

t.test('a request while the proof is judged is out of turn, and nobody may judge unasked', async t => {
  const login = challenged()
  t.throws(() => login.authenticated({}))
  send(login, PROOF)
  t.match(send(login, {}), { kind: 'drop' })
})

t.test('a login may be told where its target has gone, before and after it proved itself [7143 §11.13.5]', async t => {
  const moved = { class: 1, detail: 1, why: 'moved', targetAddress: '192.0.2.1:3260' }
  const login = createLogin(DEFAULT_OFFER)
  send(login, NAMES, { csg: 1 })
  t.match(login.identified({ refuse: moved }), { kind: 'loginStatus', ...moved })
  const proven = challenged()
  send(proven, PROOF)
  t.match(proven.authenticated({ refuse: moved }), { kind: 'loginStatus', ...moved })
})
