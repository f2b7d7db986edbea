// CHAP as libiscsi does it: its own requests, its own hashes [7143 §12.1.3, 1994 §4.1].

import t from 'tap'
import { capturedChap } from '../fixtures/captured-chap.js'
import { type ChapProof, chapResponse, createLogin, DEFAULT_OFFER, loginRequest } from '../index.js'

t.test('libiscsi 1.19 proves itself, and is content with the proof of the target', async t => {
  const { requests, identifier, challenge, targetResponse } = capturedChap
  const login = createLogin(DEFAULT_OFFER)
  const [method, algorithm, proof] = requests.map(hex => {
    const bytes = Buffer.from(hex, 'hex')
    const header = loginRequest.decode(bytes)
    return () => login.request(header, bytes.subarray(48, 48 + header.dataSegmentLength))
  })
  t.match(method?.(), { kind: 'identify' })
  const demand = { auth: 'chap', optional: false, algorithms: ['sha256', 'md5'], identifier, challenge } as const
  t.match(login.identified(demand), { response: { transit: false } })
  t.match(algorithm?.(), { response: { transit: false } })
  const step = proof?.() as { kind: string } & ChapProof
  t.match(step, { kind: 'authenticate', algorithm: 'md5', user: 'lab-user', mutual: { identifier: 1 } })
  const own = { identifier, secret: Buffer.from('correct-horse-16'), challenge: Buffer.from(challenge, 'hex') }
  t.equal(step.response, chapResponse('md5', own).toString('hex'))
  const theirs = {
    identifier: 1,
    secret: Buffer.from('staple-battery16'),
    challenge: Buffer.from(step.mutual?.challenge ?? '', 'hex'),
  }
  t.equal(targetResponse, chapResponse('md5', theirs).toString('hex'))
  t.match(login.authenticated({ mutual: { user: 'the-target', response: targetResponse } }), {
    kind: 'respond',
    response: { transit: true, nsg: 1 },
  })
})
