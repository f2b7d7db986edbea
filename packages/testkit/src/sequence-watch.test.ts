// The watch has to bark: each of its rules is broken here once.

import { dataIn, nopIn, RESERVED_TAG, r2t, scsiResponse } from '@scsipub/iscsi'
import t from 'tap'
import { receivedPdu } from './received-pdu.js'
import { SequenceWatch } from './sequence-watch.js'

const NONE = Buffer.alloc(0)
const fresh = () => new SequenceWatch({ statSn: 0xfffffffe, expCmdSn: 5, maxCmdSn: 10 })
const response = (statSn: number, expCmdSn = 5, maxCmdSn = 10) =>
  receivedPdu(scsiResponse.encode({ statSn, expCmdSn, maxCmdSn }), NONE)

t.test('StatSN goes up by one with each status, over the end of its range too [7143 §4.2.2.2]', async t => {
  const watch = fresh()
  watch.see(response(0xffffffff))
  watch.see(response(0))
  t.equal(watch.expStatSn, 1)
  t.throws(() => watch.see(response(0)), /StatSN 0 where 1 is next/)
  t.throws(() => watch.see(response(2)), /StatSN 2 where 1 is next/)
})

t.test('R2T and pings show the next StatSN and take none [7143 §11.8.3, §11.19.3]', async t => {
  const watch = fresh()
  const numbers = { statSn: 0xffffffff, expCmdSn: 5, maxCmdSn: 10 }
  watch.see(receivedPdu(r2t.encode(numbers), NONE))
  watch.see(receivedPdu(nopIn.encode({ ...numbers, initiatorTaskTag: RESERVED_TAG }), NONE))
  watch.see(receivedPdu(dataIn.encode({ ...numbers, statSn: 77 }), NONE))
  t.equal(watch.expStatSn, 0xffffffff)
  watch.see(receivedPdu(dataIn.encode({ ...numbers, statusPresent: true, final: true }), NONE))
  t.equal(watch.expStatSn, 0)
  t.throws(() => watch.see(receivedPdu(r2t.encode({ ...numbers, statSn: 1 }), NONE)), /StatSN/)
})

t.test('ExpCmdSN and MaxCmdSN never move back [7143 §4.2.2.1]', async t => {
  t.throws(() => fresh().see(response(0xffffffff, 4, 10)), /ExpCmdSN back/)
  t.throws(() => fresh().see(response(0xffffffff, 5, 9)), /MaxCmdSN back/)
})
