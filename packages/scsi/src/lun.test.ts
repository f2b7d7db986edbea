// LUN addressing [SAM-5 §4.7].

import t from 'tap'
import { decodeLun, encodeLun, NO_LUN, REPORT_LUNS_WLUN } from './lun.js'

const decode = (hex: string): number => decodeLun(Buffer.from(hex, 'hex'), 0)

t.test('peripheral device addressing names LUN 0 to 255 [SAM-5 §4.7.7.2]', async t => {
  t.equal(decode('0000000000000000'), 0)
  t.equal(decode('00ff000000000000'), 255)
  t.equal(decode('0101000000000000'), NO_LUN, 'a bus identifier')
})

t.test('flat space addressing names LUN 256 to 16383 [SAM-5 §4.7.7.3]', async t => {
  t.equal(decode('4100000000000000'), 256)
  t.equal(decode('7fff000000000000'), 16383)
  t.equal(decode('4005000000000000'), 5, 'a small flat number is the peripheral one')
})

t.test('the REPORT LUNS well known logical unit is C101h [SAM-5 §4.7.7.5.1]', async t => {
  t.equal(decode('c101000000000000'), REPORT_LUNS_WLUN)
  t.equal(decode('c102000000000000'), NO_LUN, 'ACCESS CONTROLS is not there')
})

t.test('what is neither is no logical unit [SAM-5 §4.7.6]', async t => {
  for (const hex of [
    '0000000100000000',
    '0001000000000001',
    '8001000000000000',
    'c000000000000000',
    'd200000100000000',
    'ffffffffffffffff',
    '4101000200000000',
  ]) {
    t.equal(decode(hex), NO_LUN, hex)
  }
})

t.test('REPORT LUNS shows peripheral below 256, flat from 256 on [SAM-5 §4.7.7]', async t => {
  t.equal(encodeLun(0).toString('hex'), '0000000000000000')
  t.equal(encodeLun(255).toString('hex'), '00ff000000000000')
  t.equal(encodeLun(256).toString('hex'), '4100000000000000')
  t.equal(encodeLun(REPORT_LUNS_WLUN).toString('hex'), 'c101000000000000')
  const buffer = Buffer.alloc(16, 0xee)
  t.equal(encodeLun(16383, buffer, 8), buffer)
  t.equal(buffer.toString('hex'), 'eeeeeeeeeeeeeeee7fff000000000000')
  for (const lun of [-1, 16384, 1.5, NaN]) t.throws(() => encodeLun(lun), RangeError)
})

t.test('every LUN survives the wire', async t => {
  let lost = 0
  for (let lun = 0; lun <= 16383; lun++) if (decodeLun(encodeLun(lun), 0) !== lun) lost++
  t.equal(lost, 0)
})
