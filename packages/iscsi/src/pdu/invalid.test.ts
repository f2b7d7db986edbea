// What each PDU says about being wrong by itself, a rule and its section at a time.

import type { DecodedFields, Fields } from '@scsipub/bytes'
import t from 'tap'
import type { Pdu } from '../index.js'
import * as iscsi from '../index.js'

const { RESERVED_TAG } = iscsi

/** The reason for a PDU that is made of `value` alone. */
function reason<F extends Fields>(pdu: Pdu<F>, value: Partial<DecodedFields<NoInfer<F>>>) {
  return pdu.invalid(pdu.decode(pdu.encode(value)))
}

const command = iscsi.scsiCommand.decode(iscsi.scsiCommand.encode({ final: true, initiatorTaskTag: 1 }))
const login = iscsi.loginRequest.decode(iscsi.loginRequest.encode({ transit: true, csg: 1, nsg: 3 }))

const wrong: [string, string | undefined, RegExp][] = [
  [
    'a command without task tag',
    reason(iscsi.scsiCommand, { ...command, initiatorTaskTag: RESERVED_TAG }),
    /§11\.2\.1\.8/,
  ],
  ['F and W both 0', reason(iscsi.scsiCommand, { ...command, final: false }), /§11\.3\.1/],
  ['a length without R and W', reason(iscsi.scsiCommand, { ...command, expectedDataTransferLength: 1 }), /§11\.3\.1/],
  ['a reserved attribute', reason(iscsi.scsiCommand, { ...command, attr: 5 }), /§11\.3\.1/],
  [
    'data without W',
    reason(iscsi.scsiCommand, { ...command, read: true, expectedDataTransferLength: 8, dataSegmentLength: 8 }),
    /§11\.3\.6/,
  ],
  [
    'too much immediate data',
    reason(iscsi.scsiCommand, { ...command, write: true, expectedDataTransferLength: 8, dataSegmentLength: 9 }),
    /§11\.3\.4/,
  ],
  ['a login that is not immediate', reason(iscsi.loginRequest, { ...login, immediate: false }), /§11\.12/],
  ['T and C', reason(iscsi.loginRequest, { ...login, continue: true }), /§11\.12\.2/],
  ['CSG 2', reason(iscsi.loginRequest, { ...login, csg: 2 }), /§11\.12\.3/],
  ['CSG 3', reason(iscsi.loginRequest, { ...login, csg: 3 }), /§11\.12\.3/],
  ['NSG 2', reason(iscsi.loginRequest, { ...login, nsg: 2 }), /§11\.12\.3/],
  ['NSG before CSG', reason(iscsi.loginRequest, { ...login, nsg: 0 }), /§11\.12\.3/],
  ['a NOP-Out for nobody in the sequence', reason(iscsi.nopOut, { initiatorTaskTag: RESERVED_TAG }), /§11\.18\.1/],
  ['F and C of a text', reason(iscsi.textRequest, { final: true, continue: true }), /§11\.10\.2/],
  ['a logout reason', reason(iscsi.logoutRequest, { reasonCode: 3 }), /§11\.14\.1/],
  ['a logout with data', reason(iscsi.logoutRequest, { dataSegmentLength: 1 }), /§11\.14\.2/],
  ['task management with data', reason(iscsi.taskManagementRequest, { dataSegmentLength: 4 }), /§11\.5\.2/],
  ['data beyond 2^32', reason(iscsi.dataOut, { bufferOffset: 0xffffffff, dataSegmentLength: 1 }), /§11\.7\.6/],
  ['a SNACK type', reason(iscsi.snackRequest, { type: 4 }), /§11\.16\.1/],
  ['an R2T for nothing', reason(iscsi.r2t, { targetTransferTag: 1 }), /§11\.8\.4/],
  ['S without F', reason(iscsi.dataIn, { statusPresent: true }), /§11\.7\.3/],
  ['a Reject without header', reason(iscsi.reject, { reason: 4 }), /§11\.17\.4/],
  [
    'a text answer that is final and goes on',
    reason(iscsi.textResponse, { final: true, targetTransferTag: 1 }),
    /§11\.11\.4/,
  ],
  ['a ping with data', reason(iscsi.nopIn, { initiatorTaskTag: RESERVED_TAG, dataSegmentLength: 1 }), /§11\.19/],
  ['O and U at once', reason(iscsi.scsiResponse, { overflow: true, underflow: true }), /§11\.4\.1/],
]

for (const [what, why, section] of wrong) {
  t.test(`refused: ${what} [7143 ${section.source.replaceAll('\\', '')}]`, async t => {
    t.match(why, section)
  })
}

t.test('not refused: what real initiators do', async t => {
  t.equal(reason(iscsi.scsiCommand, command), undefined)
  t.equal(reason(iscsi.loginRequest, login), undefined)
  t.equal(reason(iscsi.loginRequest, { ...login, transit: false, nsg: 2 }), undefined, 'NSG means nothing without T')
})

t.test('additional header segments are read, and a length beyond the area is refused [7143 §11.2.2]', async t => {
  const extended = Buffer.from('0005' + '01' + '00' + 'aabbccdd' + '0005' + '02' + '00' + '00001000', 'hex')
  t.same(iscsi.readAhs(extended), [
    { type: iscsi.AhsType.extendedCdb, body: Buffer.from('00aabbccdd', 'hex') },
    { type: iscsi.AhsType.bidirectionalReadLength, body: Buffer.from('0000001000', 'hex') },
  ])
  t.match(iscsi.readAhs(Buffer.from('00060100aabbccdd', 'hex')), /longer/)
  t.match(iscsi.readAhs(Buffer.from('00000100', 'hex')), /longer/)
})
