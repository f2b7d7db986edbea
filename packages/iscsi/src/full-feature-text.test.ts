// Text in full feature phase: SendTargets, and what else a Text Request may say.

import t from 'tap'
import { captured } from './fixtures/captured.js'
import { answerText, encodeTargets, parseText } from './index.js'

const DISCOVERY = { sessionType: 'discovery' } as const
const NORMAL = { sessionType: 'normal', targetName: 'iqn.2025-01.test:disk' } as const

t.test('SendTargets=All of libiscsi, and the answer tgt gave, byte by byte [7143 Appendix C]', async t => {
  const request = Buffer.from(captured.textRequest, 'hex').subarray(48)
  const pairs = parseText(request)
  t.same(answerText(Array.isArray(pairs) ? pairs : [], DISCOVERY), { answers: [], sendTargets: { kind: 'all' } })
  const text = encodeTargets([
    { name: 'iqn.2025-01.test:disk', addresses: [{ address: '127.0.0.1:13871', portalGroupTag: 1 }] },
  ])
  t.equal(
    text.toString('hex'),
    Buffer.from(captured.textResponse, 'hex')
      .subarray(48, 48 + 65)
      .toString('hex'),
  )
})

t.test('a normal session hears of its own target only [7143 Appendix C]', async t => {
  const ask = (value: string, session: typeof NORMAL | typeof DISCOVERY) =>
    answerText([{ key: 'SendTargets', value }], session)
  t.same(ask('', NORMAL), { answers: [], sendTargets: { kind: 'session' } })
  t.same(ask(NORMAL.targetName, NORMAL), { answers: [], sendTargets: { kind: 'session' } })
  const rejected = { answers: [{ key: 'SendTargets', value: 'Reject' }] }
  t.same(ask('All', NORMAL), rejected)
  t.same(ask('iqn.2025-01.test:other', NORMAL), rejected)
  t.same(ask('', DISCOVERY), rejected)
  t.same(ask('everything', DISCOVERY), rejected)
  t.same(ask('iqn.2025-01.test:Disk', DISCOVERY), {
    answers: [],
    sendTargets: { kind: 'name', name: 'iqn.2025-01.test:disk' },
  })
})

t.test(
  'MaxRecvDataSegmentLength may change, keys of the login may not, others are not understood [7143 §13]',
  async t => {
    const ask = (key: string, value: string) => answerText([{ key, value }], NORMAL)
    t.same(ask('MaxRecvDataSegmentLength', '4096'), { answers: [], maxRecvDataSegmentLength: 4096 })
    t.same(ask('MaxRecvDataSegmentLength', '100'), { answers: [{ key: 'MaxRecvDataSegmentLength', value: 'Reject' }] })
    t.same(ask('InitiatorAlias', 'box'), { answers: [] })
    for (const key of ['HeaderDigest', 'MaxBurstLength', 'InitiatorName', 'TargetAlias']) {
      t.same(ask(key, 'None'), { answers: [{ key, value: 'Reject' }] }, key)
    }
    t.same(ask('Foo', '1'), { answers: [{ key: 'Foo', value: 'NotUnderstood' }] })
  },
)
