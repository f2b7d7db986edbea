// PDU layouts against captured PDUs: hex → value → same hex, and the values a person reads in the hex.

import type { Fields } from '@scsipub/bytes'
import t from 'tap'
import { captured } from '../fixtures/captured.js'
import type { Pdu } from '../index.js'
import * as iscsi from '../index.js'

/** Decodes the header of a captured PDU, encodes it again, and gives both for comparison. */
function roundTrip<F extends Fields>(wire: Pdu<F>, hex: string) {
  const bytes = Buffer.from(hex, 'hex').subarray(0, 48)
  const value = wire.decode(bytes)
  return { value, again: wire.encode(value).toString('hex'), before: bytes.toString('hex') }
}

t.test('a SCSI Command of libiscsi: TEST UNIT READY to LUN 1 [7143 §11.3]', async t => {
  const { value, again, before } = roundTrip(iscsi.scsiCommand, captured.scsiCommand)
  t.equal(again, before)
  t.match(value, {
    opcode: 1,
    immediate: false,
    final: true,
    read: false,
    write: false,
    attr: 1,
    initiatorTaskTag: 0x13955052,
    expectedDataTransferLength: 0,
    cmdSn: 0x2923914a,
    expStatSn: 1,
    dataSegmentLength: 0,
    totalAhsLength: 0,
  })
  t.equal(value.lun.toString('hex'), '0001000000000000')
  t.equal(iscsi.scsiCommand.invalid(value), undefined)
})

t.test('a Task Management Request of libiscsi: ABORT TASK, immediate [7143 §11.5]', async t => {
  const { value, again, before } = roundTrip(iscsi.taskManagementRequest, captured.taskManagementRequest)
  t.equal(again, before)
  t.match(value, {
    immediate: true,
    function: iscsi.TaskManagementFunction.abortTask,
    initiatorTaskTag: 0x63ff28ca,
    referencedTaskTag: 0x63ff28c9,
    cmdSn: 0x2fa7b702,
    refCmdSn: 0x2fa7b701,
    expStatSn: 3,
  })
  t.equal(iscsi.taskManagementRequest.invalid(value), undefined)
})

t.test('a Login Request of libiscsi: operational stage to full feature phase at once [7143 §11.12]', async t => {
  const { value, again, before } = roundTrip(iscsi.loginRequest, captured.discoveryLoginRequest)
  t.equal(again, before)
  t.match(value, {
    opcode: 3,
    immediate: true,
    transit: true,
    continue: false,
    csg: 1,
    nsg: 3,
    versionMax: 0,
    versionMin: 0,
    tsih: 0,
    cid: 0,
    dataSegmentLength: 395,
    initiatorTaskTag: 0x5e69fb1f,
    cmdSn: 0x248ebb43,
  })
  t.equal(value.isid.toString('hex'), '80345a7b0000')
  t.equal(iscsi.loginRequest.invalid(value), undefined)
})

t.test('Text, Data-Out, Logout and NOP-Out of libiscsi', async t => {
  const text = roundTrip(iscsi.textRequest, captured.textRequest)
  t.equal(text.again, text.before)
  t.match(text.value, { immediate: true, final: true, continue: false, targetTransferTag: iscsi.RESERVED_TAG })
  const data = roundTrip(iscsi.dataOut, captured.dataOut)
  t.equal(data.again, data.before)
  t.match(data.value, {
    final: false,
    dataSegmentLength: 0x2000,
    targetTransferTag: 0x80f88d9f,
    dataSn: 0,
    bufferOffset: 0x2000,
  })
  const logout = roundTrip(iscsi.logoutRequest, captured.logoutRequest)
  t.equal(logout.again, logout.before)
  t.match(logout.value, { immediate: true, reasonCode: iscsi.LogoutReason.closeSession, cid: 0 })
  const ping = roundTrip(iscsi.nopOut, captured.nopOut)
  t.equal(ping.again, ping.before)
  t.match(ping.value, { initiatorTaskTag: 0x0d8434ee, targetTransferTag: iscsi.RESERVED_TAG, expStatSn: 0x0f })
  for (const reason of [
    iscsi.textRequest.invalid(text.value),
    iscsi.dataOut.invalid(data.value),
    iscsi.logoutRequest.invalid(logout.value),
    iscsi.nopOut.invalid(ping.value),
  ])
    t.equal(reason, undefined)
})

t.test(
  'what tgt answers: R2T, Data-In with status, SCSI Response, Login Response [7143 §11.4, §11.7, §11.8, §11.13]',
  async t => {
    const r2t = roundTrip(iscsi.r2t, captured.r2t)
    t.equal(r2t.again, r2t.before)
    t.match(r2t.value, {
      targetTransferTag: 0x80f88d9f,
      statSn: 0x0c,
      r2tSn: 0,
      bufferOffset: 0x2000,
      desiredDataTransferLength: 0x40000,
    })
    t.equal(iscsi.r2t.invalid(r2t.value), undefined)
    const dataIn = roundTrip(iscsi.dataIn, captured.dataIn)
    t.equal(dataIn.again, dataIn.before)
    t.match(dataIn.value, {
      final: true,
      statusPresent: true,
      underflow: false,
      status: 0,
      dataSegmentLength: 64,
      statSn: 3,
      dataSn: 0,
    })
    t.equal(iscsi.dataIn.invalid(dataIn.value), undefined)
    const response = roundTrip(iscsi.scsiResponse, captured.scsiResponse)
    t.equal(response.again, response.before)
    t.match(response.value, {
      final: true,
      response: 0,
      status: 2,
      statSn: 1,
      expCmdSn: 0x2923914b,
      dataSegmentLength: 20,
    })
    t.equal(iscsi.scsiResponse.invalid(response.value), undefined)
    const login = roundTrip(iscsi.loginResponse, captured.loginResponse)
    t.equal(login.again, login.before)
    t.match(login.value, {
      transit: true,
      csg: 1,
      nsg: 3,
      tsih: 0x0100,
      statusClass: 0,
      statusDetail: 0,
      expCmdSn: 0x248ebb43,
      maxCmdSn: 0x248ebb44,
    })
    t.equal(iscsi.loginResponse.invalid(login.value), undefined)
  },
)

t.test('what tgt answers: NOP-In, Text, Task Management and Logout Response', async t => {
  const ping = roundTrip(iscsi.nopIn, captured.nopIn)
  t.equal(ping.again, ping.before)
  t.match(ping.value, {
    initiatorTaskTag: 0x0d8434ee,
    targetTransferTag: iscsi.RESERVED_TAG,
    statSn: 0x0f,
    maxCmdSn: 0x1d85b7af,
  })
  const text = roundTrip(iscsi.textResponse, captured.textResponse)
  t.equal(text.again, text.before)
  t.match(text.value, { final: true, targetTransferTag: iscsi.RESERVED_TAG, dataSegmentLength: 65 })
  const management = roundTrip(iscsi.taskManagementResponse, captured.taskManagementResponse)
  t.equal(management.again, management.before)
  t.match(management.value, { response: iscsi.TaskManagementStatus.taskDoesNotExist, statSn: 4 })
  const logout = roundTrip(iscsi.logoutResponse, captured.logoutResponse)
  t.equal(logout.again, logout.before)
  t.match(logout.value, { response: iscsi.LogoutStatus.closed, time2Wait: 0, time2Retain: 0 })
  for (const reason of [
    iscsi.nopIn.invalid(ping.value),
    iscsi.textResponse.invalid(text.value),
    iscsi.taskManagementResponse.invalid(management.value),
    iscsi.logoutResponse.invalid(logout.value),
  ])
    t.equal(reason, undefined)
})

t.test('opcode and fixed bits are filled in by encode [7143 §11.2.1]', async t => {
  t.equal(
    iscsi.reject.encode({ reason: iscsi.RejectReason.protocolError, dataSegmentLength: 48 }).toString('hex', 0, 20),
    '3f800400000000300000000000000000ffffffff',
  )
  t.equal(
    iscsi.asyncMessage.encode({ asyncEvent: 1, parameter3: 5 }).toString('hex', 0, 44),
    '3280000000000000' + '0000000000000000' + 'ffffffff00000000' + '000000000000000000000000' + '01000000' + '00000005',
  )
  t.equal(iscsi.snackRequest.encode({ begRun: 1, runLength: 2 }).toString('hex', 0, 2), '1080')
  t.equal(iscsi.loginResponse.encode({}).toString('hex', 0, 2), '2300')
})
