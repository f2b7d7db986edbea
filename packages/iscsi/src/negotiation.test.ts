// The operational negotiation: every key with its result function, and what is refused [7143 §13].

import t from 'tap'
import { DEFAULT_OFFER } from './index.js'
import { Negotiation } from './negotiation.js'

const NORMAL = { discovery: false, leading: true }

/** The answer to one offered pair in the operational stage. */
function answer(key: string, value: string, session = NORMAL): unknown {
  const answers = new Negotiation(DEFAULT_OFFER, session).take([{ key, value }], 'operational')
  return Array.isArray(answers) ? (answers[0]?.value ?? 'nothing') : `${answers.class}/${answers.detail}`
}

const rows: [string, string, string, string][] = [
  ['HeaderDigest', 'None,CRC32C', 'None', '§13.1'],
  ['HeaderDigest', 'CRC32C,None', 'CRC32C', '§13.1'],
  ['DataDigest', 'X-mine,CRC32C', 'CRC32C', '§13.1'],
  ['DataDigest', 'X-mine', 'Reject', '§13.1'],
  ['DataDigest', 'CRC32C,,None', 'Reject', '§6.1'],
  ['MaxConnections', '8', '1', '§13.2'],
  ['InitialR2T', 'No', 'No', '§13.10'],
  ['InitialR2T', 'Yes', 'Yes', '§13.10'],
  ['InitialR2T', 'yes', 'Reject', '§6.1'],
  ['ImmediateData', 'Yes', 'Yes', '§13.11'],
  ['ImmediateData', 'No', 'No', '§13.11'],
  ['MaxRecvDataSegmentLength', '262144', 'nothing', '§13.12'],
  ['MaxRecvDataSegmentLength', '511', '2/0', '§13.12'],
  ['MaxRecvDataSegmentLength', '16777216', '2/0', '§13.12'],
  ['MaxBurstLength', '0xFFFC00', '16776192', '§13.13'],
  ['MaxBurstLength', '16777215', '16776192', '§13.13'],
  ['MaxBurstLength', '0512', 'Reject', '§6.1'],
  ['FirstBurstLength', '1000', '1000', '§13.14'],
  ['FirstBurstLength', '16776192', '262144', '§13.14'],
  ['DefaultTime2Wait', '0', '2', '§13.15'],
  ['DefaultTime2Wait', '5', '5', '§13.15'],
  ['DefaultTime2Wait', '3601', 'Reject', '§13.15'],
  ['DefaultTime2Retain', '0', '0', '§13.16'],
  ['DefaultTime2Retain', '60', '20', '§13.16'],
  ['MaxOutstandingR2T', '1', '1', '§13.17'],
  ['MaxOutstandingR2T', '16', '8', '§13.17'],
  ['MaxOutstandingR2T', '0', 'Reject', '§13.17'],
  ['DataPDUInOrder', 'No', 'Yes', '§13.18'],
  ['DataSequenceInOrder', 'No', 'Yes', '§13.19'],
  ['ErrorRecoveryLevel', '2', '0', '§13.20'],
  ['ErrorRecoveryLevel', '3', 'Reject', '§13.20'],
  ['TaskReporting', 'FastAbort,ResponseFence,RFC3720', 'RFC3720', '§13.23'],
  ['iSCSIProtocolLevel', '2', '1', '§13.24'],
  ['iSCSIProtocolLevel', '0', '0', '§13.24'],
  ['IFMarker', 'Yes', 'No', '§13.25'],
  ['OFMarker', 'No', 'No', '§13.25'],
  ['IFMarkInt', '1~2048', 'Irrelevant', '§13.25'],
  ['X#NodeArchitecture', 'Linux/6.1', 'nothing', '§13.26'],
  ['InitiatorAlias', 'box', 'nothing', '§13.7'],
  ['X-com.example.Key', '1', 'NotUnderstood', '§13.22'],
  ['SendTargets', 'All', '2/0', '§13.3'],
  ['TargetAddress', '127.0.0.1:3260,1', '2/0', '§13.8'],
]

for (const [key, value, expected, section] of rows) {
  t.test(`${key}=${value} is answered with ${expected} [7143 ${section}]`, async t => {
    t.equal(answer(key, value), expected)
  })
}

t.test('in a discovery session digests are None and data keys are irrelevant [7143 §13]', async t => {
  const discovery = { discovery: true, leading: true }
  t.equal(answer('HeaderDigest', 'CRC32C,None', discovery), 'None')
  t.equal(answer('HeaderDigest', 'CRC32C', discovery), 'Reject')
  for (const key of [
    'MaxConnections',
    'InitialR2T',
    'MaxBurstLength',
    'FirstBurstLength',
    'MaxOutstandingR2T',
    'TaskReporting',
  ]) {
    t.equal(answer(key, '1', discovery), 'Irrelevant', key)
  }
  t.equal(answer('ErrorRecoveryLevel', '0', discovery), '0')
})

t.test('FirstBurstLength never exceeds MaxBurstLength, in whatever order they come [7143 §13.14]', async t => {
  const first = { key: 'FirstBurstLength', value: '65536' }
  const max = { key: 'MaxBurstLength', value: '4096' }
  for (const pairs of [
    [first, max],
    [max, first],
  ]) {
    const negotiation = new Negotiation(DEFAULT_OFFER, NORMAL)
    negotiation.take(pairs, 'operational')
    t.equal(negotiation.number('FirstBurstLength'), 4096)
  }
})

t.test('a key negotiated twice is an initiator error, a declaration repeated is not [7143 §6.2]', async t => {
  const negotiation = new Negotiation(DEFAULT_OFFER, NORMAL)
  const one = (key: string, value: string) => negotiation.take([{ key, value }], 'operational')
  t.same(one('ImmediateData', 'Yes'), [{ key: 'ImmediateData', value: 'Yes' }])
  t.match(one('ImmediateData', 'Yes'), { class: 2, detail: 0 })
  t.same(one('InitiatorName', 'iqn.2025-01.test:a'), [])
  t.same(one('InitiatorName', 'iqn.2025-01.test:a'), [])
  t.match(one('InitiatorName', 'iqn.2025-01.test:b'), { class: 2, detail: 0 })
})

t.test('an operational key in the security stage is an initiator error [7143 §12]', async t => {
  const negotiation = new Negotiation(DEFAULT_OFFER, NORMAL)
  t.match(negotiation.take([{ key: 'HeaderDigest', value: 'None' }], 'security'), {
    class: 2,
    detail: 0,
    why: /security/,
  })
  t.same(negotiation.take([{ key: 'InitiatorAlias', value: 'box' }], 'security'), [])
})

t.test('a session-wide key on a further connection is an initiator error [7143 §13]', async t => {
  t.equal(answer('MaxBurstLength', '4096', { discovery: false, leading: false }), '2/0')
  t.equal(answer('HeaderDigest', 'None', { discovery: false, leading: false }), 'None')
})

t.test('a rejected value leaves the standard default in force [7143 §6.2]', async t => {
  const negotiation = new Negotiation(DEFAULT_OFFER, NORMAL)
  negotiation.take([{ key: 'MaxOutstandingR2T', value: 'many' }], 'operational')
  t.equal(negotiation.number('MaxOutstandingR2T'), 1)
  t.equal(negotiation.boolean('InitialR2T'), true)
})
