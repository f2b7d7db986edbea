// What is told of copies [SPC-4 §6.21, §6.23; SBC-3 §5.22].

import t from 'tap'
import { encodeSense } from '../sense.js'
import { senseCodes } from '../sense-codes.js'
import { send } from '../test-fixture.js'
import { type CopyReport, copyStatus, failureDetails, rodTokenInformation } from './copy-results.js'

const done: CopyReport = {
  state: 'good',
  serviceAction: 0x10,
  segmentsProcessed: 3,
  bytes: 0x12_0000,
  operations: 5,
  sense: undefined,
  token: undefined,
  blockBytes: 512,
}
const sense = encodeSense({ code: senseCodes.spaceAllocationFailed }, 'fixed')
const failed: CopyReport = { ...done, state: 'failed', sense }

t.test('commands that ask for a copy name it, and where its identifier is in the CDB', async t => {
  const asked = { kind: 'copyResults', listIdentifier: 7, allocationLength: 0xff }
  t.match(send('84 00 07 000000 00000000 000000ff'), { ...asked, what: 'status', field: { byte: 2 } })
  t.match(send('84 04 07 000000 00000000 000000ff'), { ...asked, what: 'failure', field: { byte: 2 } })
  t.match(send('84 07 00000007 00000000 000000ff'), { ...asked, what: 'token', field: { byte: 2 } })
})

t.test('RECEIVE COPY STATUS(LID1): state, segments, count in bytes or KiB [SPC-4 §6.23]', async t => {
  t.equal(copyStatus(done).toString('hex'), '00000008' + '01' + '0003' + '00' + '00120000')
  t.equal(copyStatus({ ...done, state: 'inForeground' })[4], 0x00)
  t.equal(copyStatus(failed)[4], 0x02)
  t.equal(copyStatus({ ...done, state: 'terminated' })[4], 0x02)
  t.equal(copyStatus({ ...done, bytes: 2 ** 33 }).toString('hex', 7), '01' + '00800000')
})

t.test('RECEIVE COPY FAILURE DETAILS(LID1): status and sense, or nothing [SPC-4 §6.21]', async t => {
  t.equal(failureDetails(done).toString('hex'), '00000000')
  const details = failureDetails(failed)
  t.equal(details.readUInt32BE(0), details.length - 4)
  t.equal(details.toString('hex', 56), '0200' + '0012' + sense.toString('hex'))
})

t.test('RECEIVE ROD TOKEN INFORMATION: state, blocks, sense, token [SBC-3 §5.22]', async t => {
  const token = Buffer.alloc(512, 0x5a)
  const whole = rodTokenInformation({ ...done, token })
  t.equal(whole.length, 32 + 4 + 2 + 512)
  t.equal(whole.readUInt32BE(0), whole.length - 4)
  t.equal(
    whole.toString('hex', 4, 32),
    '1001' + '0005' + '00000000' + '00' + '0000' + 'f1' + '0000000000000900' + '00'.repeat(8),
  )
  t.equal(whole.toString('hex', 32, 38), '00000202' + '0000')
  t.same(whole.subarray(38), token)
  const other = rodTokenInformation(failed)
  t.equal(other.toString('hex', 5, 6), '02')
  t.equal(other.toString('hex', 12, 15), '02' + '1412')
  t.equal(other.toString('hex', 32), sense.toString('hex') + '0000' + '00000000')
  const states = (['inForeground', 'inBackground', 'terminated'] as const).map(
    state => rodTokenInformation({ ...done, state })[5],
  )
  t.same(states, [0x11, 0x12, 0x60])
})
