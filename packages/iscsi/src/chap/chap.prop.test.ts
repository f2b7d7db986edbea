// Whatever an initiator says in whatever order, it does not get past CHAP without a proof that the caller has accepted
// [7143 §6.3, §12.1].

import fc from 'fast-check'
import t from 'tap'
import { createLogin, DEFAULT_OFFER, encodeText, type LoginStep, loginRequest } from '../index.js'

const NAMES = { InitiatorName: 'iqn.2025-01.test:box', TargetName: 'iqn.2025-01.pub.scsipub:lab' }

/** Things that are said in a login, right ones in the majority, so that some get far. */
const pair = fc.constantFrom(
  ['AuthMethod', 'CHAP'],
  ['AuthMethod', 'CHAP,None'],
  ['AuthMethod', 'None'],
  ['CHAP_A', '5'],
  ['CHAP_A', '7,5'],
  ['CHAP_A', '99'],
  ['CHAP_N', 'user'],
  ['CHAP_R', `0x${'ab'.repeat(16)}`],
  ['CHAP_R', `0x${'ab'.repeat(32)}`],
  ['CHAP_R', '0xab'],
  ['CHAP_I', '1'],
  ['CHAP_C', '0x0102'],
  ['MaxBurstLength', '4096'],
  ['InitiatorAlias', 'box'],
) as fc.Arbitrary<[string, string]>
const request = fc.record({
  pairs: fc.array(pair, { maxLength: 3 }),
  fields: fc.constantFrom(
    { csg: 0 },
    { csg: 0, transit: true, nsg: 1 },
    { csg: 0, transit: true, nsg: 3 },
    { csg: 1 },
    { csg: 1, transit: true, nsg: 3 },
    { csg: 0, continue: true },
  ),
})
/** The right way, which random requests are put into. */
const rightWay = [
  { pairs: [['AuthMethod', 'CHAP']], fields: { csg: 0 } },
  { pairs: [['CHAP_A', '5']], fields: { csg: 0 } },
  {
    pairs: [
      ['CHAP_N', 'user'],
      ['CHAP_R', `0x${'ab'.repeat(16)}`],
    ],
    fields: { csg: 0, transit: true, nsg: 1 },
  },
  { pairs: [], fields: { csg: 1, transit: true, nsg: 3 } },
] as { pairs: [string, string][]; fields: object }[]
const script = fc
  .tuple(fc.integer({ min: 0, max: rightWay.length }), fc.array(request, { maxLength: 6 }), fc.boolean())
  .map(([right, random, on]) => [...rightWay.slice(0, right), ...random, ...(on ? rightWay.slice(right) : [])])

/** How far a login got: which kinds of steps it saw. `accept`: the caller's answer to every proof. */
function run(
  requests: { pairs: [string, string][]; fields: object }[],
  accept: boolean,
): Set<LoginStep['kind'] | 'left'> {
  const login = createLogin(DEFAULT_OFFER)
  const seen = new Set<LoginStep['kind'] | 'left'>()
  const demand = {
    auth: 'chap',
    optional: false,
    algorithms: ['md5', 'sha256'],
    identifier: 1,
    challenge: '0a',
  } as const
  const settle = (step: LoginStep): LoginStep => {
    seen.add(step.kind)
    if (step.kind === 'identify') return settle(login.identified(demand))
    if (step.kind !== 'authenticate') return step
    return settle(login.authenticated(accept ? {} : { refuse: { class: 2, detail: 1, why: 'no' } }))
  }
  for (const [index, { pairs, fields }] of requests.entries()) {
    const own = index === 0 ? [...Object.entries(NAMES), ...pairs] : pairs
    const header = loginRequest.decode(loginRequest.encode({ isid: Buffer.alloc(6), initiatorTaskTag: 7, ...fields }))
    const step = settle(login.request(header, encodeText(own.map(([key = '', value = '']) => ({ key, value })))))
    if (step.kind === 'respond' && step.response.transit) seen.add('left')
    if (step.kind !== 'respond') break
  }
  return seen
}

t.test('no order of requests leads past CHAP unless the caller accepts a proof [7143 §6.3, §12.1]', async t => {
  let opened = 0
  fc.assert(
    fc.property(script, requests => {
      const refused = run(requests, false)
      const accepted = run(requests, true)
      if (accepted.has('open')) opened += 1
      const past = (seen: typeof refused) => seen.has('open') || seen.has('left')
      return !past(refused) && (!past(accepted) || accepted.has('authenticate'))
    }),
    { numRuns: 2000 },
  )
  t.ok(opened > 20, `${opened} of them got in with an accepted proof`)
})
