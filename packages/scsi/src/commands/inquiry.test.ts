// INQUIRY: standard data and vital product data [SPC-4 §6.6, §7.8; SBC-3 §6.6].

import t from 'tap'
import { REPORT_LUNS_WLUN } from '../lun.js'
import { senseCodes } from '../sense-codes.js'
import { contextOf, dataOf, disk, failsWith, nowhere, send, target } from '../test-fixture.js'

const page = (code: string, context = contextOf()): Buffer => dataOf(send(`12 01 ${code} 10 00 00`, context))

t.test('standard data claims SPC-4, SBC-3, SAM-5 and iSCSI [SPC-4 §6.6.2]', async t => {
  const data = dataOf(send('12 00 00 00 ff 00'))
  t.equal(data.length, 96)
  t.equal(data.subarray(0, 8).toString('hex'), '000006125b380002')
  t.equal(data.toString('latin1', 8, 36), 'SCSIPUB test disk       0001')
  t.equal(data.subarray(58, 66).toString('hex'), '00a00960046004c0')
  t.equal(data.subarray(36, 58).every(byte => byte === 0) && data.subarray(66).every(byte => byte === 0), true)
})

t.test('a removable unit says RMB [SPC-4 §6.6.2]', async t => {
  t.equal(dataOf(send('12 00 00 00 24 00', contextOf({ ...disk, removable: true })))[1], 0x80)
})

t.test('PRODUCT IDENTIFICATION is printable ASCII of 16 characters [SPC-4 §4.3.1]', async t => {
  const data = dataOf(send('12 00 00 00 ff 00', contextOf({ ...disk, product: 'größer als sechzehn' })))
  t.equal(data.toString('latin1', 16, 32), 'gr??er als sechz')
})

t.test('a page code without EVPD, a page that is not there, and CMDDT: 5/24/00 [SPC-4 §6.6.1]', async t => {
  failsWith(t, send('12 00 80 00 ff 00'), senseCodes.invalidFieldInCdb, { field: { in: 'cdb', byte: 2, bit: 7 } })
  failsWith(t, send('12 01 b3 00 ff 00'), senseCodes.invalidFieldInCdb, { field: { in: 'cdb', byte: 2, bit: 7 } })
  failsWith(t, send('12 02 00 00 ff 00'), senseCodes.invalidFieldInCdb, { field: { in: 'cdb', byte: 1, bit: 1 } })
})

t.test('where there is no unit: qualifier 3, type 1Fh, never an error [SPC-4 §6.6.1]', async t => {
  t.equal(dataOf(send('12 00 00 00 ff 00', nowhere()))[0], 0x7f)
  t.equal(page('00', nowhere()).toString('hex'), '7f00000100')
  failsWith(t, send('12 01 83 00 ff 00', nowhere()), senseCodes.invalidFieldInCdb)
})

t.test('the well known unit is of type 1Eh and has pages 00h, 83h and 88h [SPC-4 §8.1]', async t => {
  const context = nowhere(REPORT_LUNS_WLUN)
  t.equal(dataOf(send('12 00 00 00 ff 00', context))[0], 0x1e)
  t.equal(page('00', context).toString('hex'), '1e000003008388')
  t.equal((page('83', context)[5]! >>> 4) & 3, 1, 'begins with a designator of the port')
})

t.test('page 00h lists the pages in ascending order, and each can be read [SPC-4 §7.8.14]', async t => {
  const list = page('00')
  t.equal(list.toString('hex'), '0000000a' + '00808386' + '8788' + '8f' + 'b0b1b2')
  for (const code of list.subarray(4)) {
    const data = page(code.toString(16).padStart(2, '0'))
    t.equal(data[1], code)
    t.equal(data.readUInt16BE(2), data.length - 4, 'PAGE LENGTH')
  }
})

t.test('page 80h is the serial number [SPC-4 §7.8.15]', async t => {
  t.equal(page('80').toString('latin1'), '\0\x80\0\x07SP-0001')
})

t.test('page 83h: NAA 6, vendor, port and device [SPC-4 §7.8.6]', async t => {
  const data = page('83')
  const designators: string[] = []
  for (let at = 4; at < data.length; at += 4 + data[at + 3]!)
    designators.push(data.subarray(at, at + 4 + data[at + 3]!).toString('hex'))
  const ascii = (text: string): string => Buffer.from(text).toString('hex')
  t.same(designators, [
    '01030010' + disk.identity.naa,
    '0201000f' + ascii('SCSIPUB SP-0001'),
    '51940004' + '00000001',
    '51950004' + '00000001',
    '53980028' + ascii('iqn.2025-01.pub.scsipub:test,t,0x0001') + '000000',
    '53a80020' + ascii('iqn.2025-01.pub.scsipub:test') + '00000000',
  ])
})

t.test(
  'page 83h: names of ports follow the portal group tag; the string ends with a zero byte [SPC-4 §7.8.6.11]',
  async t => {
    for (const tag of [1, 2, 0xfffe]) {
      const text = page('83', { ...contextOf(), target: { ...target, portalGroupTag: tag } }).toString('latin1')
      t.match(text, `,t,0x${tag.toString(16).padStart(4, '0')}\0`)
    }
  },
)

t.test('page 87h: all nexuses share all mode pages [SPC-4 §7.8.9]', async t => {
  t.equal(page('87').toString('hex'), '00870004' + '3fff0000')
})

t.test('page 88h: the one port, by the number and the name of page 83h [SPC-4 §7.8.12]', async t => {
  const name = '53980028' + Buffer.from('iqn.2025-01.pub.scsipub:test,t,0x0001').toString('hex') + '000000'
  t.equal(page('88').toString('hex'), '00880038' + '00000001' + '00000000' + '0000002c' + name)
  t.ok(page('83').toString('hex').includes(name))
})

t.test('page 86h: SIMPLE only, volatile cache [SPC-4 §7.8.7]', async t => {
  t.equal(page('86').subarray(0, 8).toString('hex'), '0086003c00010100')
})

t.test('page B0h: lengths, limits of UNMAP, WRITE SAME and WRITE ATOMIC [SBC-3 §6.6.4, SBC-4 §6.6.4]', async t => {
  const lengths = '00b0003c' + '01800008' + '00000800' + '00000000' + '00000800'
  const writeSame = '0000000000000800'
  const atomic = '00000100' + '00000000'.repeat(4)
  const unmap = '00100000' + '00000100' + '00000008' + '80000000'
  t.equal(page('b0').toString('hex'), lengths + unmap + writeSame + atomic)
  const thick = page('b0', contextOf({ ...disk, thin: false }))
  t.equal(
    thick.toString('hex'),
    lengths.replace('00b0003c01', '00b0003c00') + '00'.repeat(16) + writeSame + atomic,
    'a fully provisioned unit cannot unmap, and takes a WRITE SAME without a length',
  )
  t.equal(page('b0', contextOf({ ...disk, blockBytes: 4096 })).readUInt16BE(6), 1)
})

t.test('page B1h: not rotating, to be read at once after an erasure [SBC-3 §6.6.2]', async t => {
  t.equal(page('b1').subarray(0, 8).toString('hex'), '00b1003c00010050')
  t.equal(
    page('b1', contextOf({ ...disk, thin: false }))
      .subarray(0, 8)
      .toString('hex'),
    '00b1003c00010000',
  )
})

t.test('page B2h: thin, all ways of unmapping, zeros, anchoring, sets of 2^n blocks [SBC-3 §6.6.5]', async t => {
  t.equal(page('b2').toString('hex'), '00b20004' + '03e60200')
  const b2 = (lu: Partial<typeof disk>) => page('b2', contextOf({ ...disk, ...lu })).toString('hex', 4)
  t.equal(b2({ thin: false }), '00000000', 'a fully provisioned unit says nothing')
  t.equal(b2({ blockBytes: 4096 }), '01e60200', 'zero would say that there are no sets')
  t.equal(b2({ sizeBlocks: 2 ** 40 }), '09e60200', 'the number of sets fits 32 bits')
})
