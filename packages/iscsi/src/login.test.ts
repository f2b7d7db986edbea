// Logins as initiators do them, and the ways in which they go wrong [7143 §6.3, §11.12, §11.13].

import t from 'tap'
import { captured } from './fixtures/captured.js'
import type { Login, LoginRequest, LoginStep, TargetOffer } from './index.js'
import { createLogin, DEFAULT_OFFER, encodeText, loginRequest, parseText } from './index.js'

const NAMES = {
  InitiatorName: 'iqn.2025-01.test:box',
  TargetName: 'iqn.2025-01.pub.scsipub:blank',
  SessionType: 'Normal',
}

/** Sends one request; names of fields not given are those of a plain first request in the security stage. */
function send(login: Login, fields: Partial<LoginRequest>, text: Record<string, string> | Buffer = {}): LoginStep {
  const header = loginRequest.decode(
    loginRequest.encode({ isid: Buffer.from('00023d000001', 'hex'), initiatorTaskTag: 7, cmdSn: 100, ...fields }),
  )
  const data = Buffer.isBuffer(text) ? text : encodeText(Object.entries(text).map(([key, value]) => ({ key, value })))
  return login.request(header, data)
}

/** Answers 'identify' and 'open' as a target without authentication does. */
function settle(login: Login, step: LoginStep): LoginStep {
  if (step.kind === 'identify') return settle(login, login.identified({ auth: 'none' }))
  return step.kind === 'open' ? login.opened({ tsih: 9 }) : step
}

function answers(step: LoginStep): Record<string, string> {
  if (step.kind !== 'respond') throw new Error(`not an answer: ${JSON.stringify(step)}`)
  const pairs = parseText(step.text)
  return Object.fromEntries(Array.isArray(pairs) ? pairs.map(({ key, value }) => [key, value]) : [])
}

function fromWire(hex: string): [LoginRequest, Buffer] {
  const bytes = Buffer.from(hex, 'hex')
  const header = loginRequest.decode(bytes)
  return [header, bytes.subarray(48, 48 + header.dataSegmentLength)]
}

t.test('libiscsi 1.19 logs in with one request [7143 §6.3]', async t => {
  const login = createLogin(DEFAULT_OFFER)
  const identify = login.request(...fromWire(captured.normalLoginRequest))
  t.match(identify, { kind: 'identify', targetName: 'iqn.2025-01.test:disk', sessionType: 'normal', tsih: 0, cid: 0 })
  const open = login.identified({ auth: 'none' })
  t.match(open, {
    kind: 'open',
    cid: 0,
    parameters: {
      sessionType: 'normal',
      headerDigest: false,
      dataDigest: false,
      initialR2T: false,
      immediateData: true,
      maxRecvDataSegmentLength: 262144,
      targetMaxRecvDataSegmentLength: 262144,
      maxBurstLength: 262144,
      firstBurstLength: 262144,
      maxOutstandingR2T: 1,
      maxConnections: 1,
      errorRecoveryLevel: 0,
      defaultTime2Retain: 0,
    },
  })
  t.ok(open.kind === 'open' && Object.isFrozen(open.parameters))
  const done = login.opened({ tsih: 513 })
  t.match(done, {
    kind: 'respond',
    complete: true,
    response: { transit: true, csg: 1, nsg: 3, statusClass: 0, tsih: 513 },
  })
  t.match(answers(done), {
    TargetPortalGroupTag: '1',
    HeaderDigest: 'None',
    InitialR2T: 'No',
    IFMarker: 'No',
    MaxRecvDataSegmentLength: '262144',
  })
})

t.test('libiscsi 1.19 discovers: no target name, no portal group tag, data keys irrelevant [7143 §4.3]', async t => {
  const login = createLogin(DEFAULT_OFFER)
  const identify = login.request(...fromWire(captured.discoveryLoginRequest))
  t.match(identify, { kind: 'identify', sessionType: 'discovery' })
  t.equal(identify.kind === 'identify' ? identify.targetName : '', undefined)
  const done = settle(login, login.identified({ auth: 'none' }))
  t.match(answers(done), { HeaderDigest: 'None', MaxBurstLength: 'Irrelevant', ErrorRecoveryLevel: '0' })
  t.notOk('TargetPortalGroupTag' in answers(done))
})

t.test('open-iscsi goes through both stages: security, operational, full feature [7143 §6.3]', async t => {
  const login = createLogin(DEFAULT_OFFER)
  const security = settle(login, send(login, { transit: true, csg: 0, nsg: 1 }, { ...NAMES, AuthMethod: 'None' }))
  t.match(security, { kind: 'respond', complete: false, response: { transit: true, csg: 0, nsg: 1, tsih: 0 } })
  t.same(answers(security), { TargetPortalGroupTag: '1', AuthMethod: 'None' })
  const operational = settle(
    login,
    send(
      login,
      { transit: true, csg: 1, nsg: 3 },
      {
        HeaderDigest: 'CRC32C,None',
        DataDigest: 'None',
        MaxRecvDataSegmentLength: '262144',
        MaxBurstLength: '16776192',
        FirstBurstLength: '262144',
        ErrorRecoveryLevel: '0',
        InitialR2T: 'No',
        ImmediateData: 'Yes',
        MaxConnections: '1',
      },
    ),
  )
  t.match(operational, { complete: true, response: { transit: true, csg: 1, nsg: 3, tsih: 9 } })
  t.match(answers(operational), {
    HeaderDigest: 'CRC32C',
    MaxBurstLength: '16776192',
    MaxRecvDataSegmentLength: '262144',
  })
  t.notOk('TargetPortalGroupTag' in answers(operational), 'only in the first response')
})

t.test(
  'our MaxRecvDataSegmentLength is declared once, and is 8192 when the stage for it is skipped [7143 §13.12]',
  async t => {
    const slow = createLogin(DEFAULT_OFFER)
    const first = settle(slow, send(slow, { csg: 1 }, NAMES))
    t.equal(answers(first).MaxRecvDataSegmentLength, '262144')
    t.match(first, { response: { transit: false, nsg: 0 } })
    t.same(answers(settle(slow, send(slow, { transit: true, csg: 1, nsg: 3 }))), {}, 'an empty request just goes on')
    const fast = createLogin(DEFAULT_OFFER)
    send(fast, { transit: true, csg: 0, nsg: 3 }, NAMES)
    t.match(fast.identified({ auth: 'none' }), {
      kind: 'open',
      parameters: { targetMaxRecvDataSegmentLength: 8192, maxRecvDataSegmentLength: 8192, initialR2T: true },
    })
  },
)

t.test('a text in several requests: empty answers until C is 0 [7143 §6.2, §11.12.2]', async t => {
  const login = createLogin(DEFAULT_OFFER)
  const text = encodeText(Object.entries(NAMES).map(([key, value]) => ({ key, value })))
  for (const at of [0, 20]) {
    const more = send(login, { continue: true, csg: 1 }, text.subarray(at, at + 20))
    t.match(more, { kind: 'respond', complete: false, response: { transit: false, continue: false, csg: 1 } })
    t.same(answers(more), {})
  }
  t.match(send(login, { transit: true, csg: 1, nsg: 3 }, text.subarray(40)), {
    kind: 'identify',
    initiatorName: NAMES.InitiatorName,
  })
})

const refusals: [string, Partial<LoginRequest>, Record<string, string>, [number, number]][] = [
  ['no InitiatorName [7143 §13.5]', { csg: 1 }, { TargetName: NAMES.TargetName }, [2, 7]],
  ['no TargetName [7143 §13.4]', { csg: 1 }, { InitiatorName: NAMES.InitiatorName }, [2, 7]],
  ['an InitiatorName that is none', { csg: 1 }, { ...NAMES, InitiatorName: 'me' }, [2, 0]],
  ['a TargetName that is none', { csg: 1 }, { ...NAMES, TargetName: 'disk' }, [2, 3]],
  ['an unknown session type [7143 §13.21]', { csg: 1 }, { ...NAMES, SessionType: 'Other' }, [2, 9]],
  ['a newer version [7143 §11.12.4]', { csg: 1, versionMin: 1, versionMax: 1 }, NAMES, [2, 5]],
  ['T and C [7143 §11.12.2]', { csg: 1, nsg: 3, transit: true, continue: true }, NAMES, [2, 0]],
  ['next stage 2 [7143 §11.12.3]', { csg: 1, nsg: 2, transit: true }, NAMES, [2, 0]],
  ['no common AuthMethod [7143 §12.1]', { csg: 0 }, { ...NAMES, AuthMethod: 'KRB5,CHAP' }, [2, 1]],
  ['CHAP keys without CHAP [7143 §12.1]', { csg: 0 }, { ...NAMES, CHAP_A: '5' }, [2, 0]],
  ['digests in the security stage [7143 §12]', { csg: 0 }, { ...NAMES, HeaderDigest: 'None' }, [2, 0]],
  ['AuthMethod in the operational stage [7143 §12]', { csg: 1 }, { ...NAMES, AuthMethod: 'None' }, [2, 0]],
]
for (const [what, fields, text, [statusClass, detail]] of refusals) {
  t.test(`refused: ${what}`, async t => {
    const login = createLogin(DEFAULT_OFFER)
    t.match(settle(login, send(login, fields, text)), { kind: 'loginStatus', class: statusClass, detail })
    t.match(send(login, fields, text), { kind: 'drop' }, 'nothing is taken after a refusal')
  })
}

t.test('what must not change during a login [7143 §11.12.5 to §11.12.8]', async t => {
  for (const change of [
    { isid: Buffer.from('00023d000002', 'hex') },
    { cid: 1 },
    { initiatorTaskTag: 8 },
    { cmdSn: 101 },
    { tsih: 1 },
  ]) {
    const login = createLogin(DEFAULT_OFFER)
    settle(login, send(login, { csg: 1 }, NAMES))
    t.match(
      send(login, { csg: 1, ...change }),
      { kind: 'loginStatus', class: 2, detail: 0x0b },
      Object.keys(change).join(),
    )
  }
})

t.test('nobody goes back a stage, or on without having asked [7143 §11.12.3]', async t => {
  const back = createLogin(DEFAULT_OFFER)
  settle(back, send(back, { transit: true, csg: 0, nsg: 1 }, NAMES))
  t.match(send(back, { csg: 0 }), { kind: 'loginStatus', class: 2, detail: 0 })
  const ahead = createLogin(DEFAULT_OFFER)
  settle(ahead, send(ahead, { csg: 0 }, NAMES))
  t.match(send(ahead, { csg: 1 }), { kind: 'loginStatus', class: 2, detail: 0 })
})

t.test('a login has bounds: 10 requests, 40 PDUs, 8 KiB of text', async t => {
  const many = createLogin(DEFAULT_OFFER)
  settle(many, send(many, { csg: 1 }, NAMES))
  for (let count = 2; count <= 10; count += 1) t.match(send(many, { csg: 1 }), { kind: 'respond' })
  t.match(send(many, { csg: 1 }), { kind: 'loginStatus', why: /10 login requests/ })
  const trickle = createLogin(DEFAULT_OFFER)
  for (let count = 1; count <= 40; count += 1) t.match(send(trickle, { csg: 1, continue: true }), { kind: 'respond' })
  t.match(send(trickle, { csg: 1, continue: true }), { kind: 'loginStatus', why: /40 login requests/ })
  const long = createLogin(DEFAULT_OFFER)
  send(long, { csg: 0, continue: true }, Buffer.alloc(8192, 0x41))
  t.match(send(long, { csg: 0 }, Buffer.alloc(1)), { kind: 'loginStatus', why: /8192/ })
})

t.test('the caller may refuse twice, and a request before its answer is out of turn', async t => {
  const status = { class: 3, detail: 1, why: 'draining' }
  const first = createLogin(DEFAULT_OFFER)
  send(first, { transit: true, csg: 1, nsg: 3 }, NAMES)
  t.match(first.identified({ refuse: status }), { kind: 'loginStatus', ...status })
  const second = createLogin(DEFAULT_OFFER)
  send(second, { transit: true, csg: 1, nsg: 3 }, NAMES)
  t.match(second.identified({ auth: 'none' }), { kind: 'open' })
  t.match(second.opened({ refuse: status }), { kind: 'loginStatus', ...status })
  const third = createLogin(DEFAULT_OFFER)
  t.throws(() => third.opened({ tsih: 1 }))
  send(third, { transit: true, csg: 1, nsg: 3 }, NAMES)
  t.match(send(third, { csg: 1 }), { kind: 'drop' })
})

t.test('the longest answer stays below 8192 bytes [7143 §13.12]', async t => {
  const login = createLogin(DEFAULT_OFFER)
  const unknown = Object.fromEntries(
    Array.from({ length: 61 }, (_, index) => [`X-${'k'.repeat(58)}${100 + index}`, 'v']),
  )
  const step = settle(login, send(login, { csg: 1 }, { ...NAMES, ...unknown }))
  t.equal(Object.values(answers(step)).filter(value => value === 'NotUnderstood').length, 61)
  t.ok(step.kind === 'respond' && step.text.length < 8192)
})

t.test('an offer without digests answers None', async t => {
  const offer: TargetOffer = { ...DEFAULT_OFFER, digests: ['None'] }
  const login = createLogin(offer)
  t.equal(
    answers(settle(login, send(login, { csg: 1 }, { ...NAMES, HeaderDigest: 'CRC32C,None' }))).HeaderDigest,
    'None',
  )
})

t.test('a MaxBurstLength below the default FirstBurstLength bounds it [7143 §13.14]', async t => {
  const login = createLogin(DEFAULT_OFFER)
  send(login, { transit: true, csg: 1, nsg: 3 }, { ...NAMES, MaxBurstLength: '4096' })
  t.match(login.identified({ auth: 'none' }), { parameters: { maxBurstLength: 4096, firstBurstLength: 4096 } })
})
