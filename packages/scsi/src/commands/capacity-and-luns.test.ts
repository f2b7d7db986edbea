// READ CAPACITY and REPORT LUNS [SBC-3 §5.15, §5.16; SPC-4 §6.33].

import t from 'tap'
import { REPORT_LUNS_WLUN } from '../lun.js'
import { senseCodes } from '../sense-codes.js'
import { contextOf, dataOf, disk, failsWith, nowhere, send, target } from '../test-fixture.js'

t.test('READ CAPACITY(10): last LBA and block length [SBC-3 §5.15.2]', async t => {
  t.equal(dataOf(send('25')).toString('hex'), '000fffff00000200')
  const of = (sizeBlocks: number): string => dataOf(send('25', contextOf({ ...disk, sizeBlocks }))).toString('hex')
  t.equal(of(1), '0000000000000200')
  t.equal(of(2 ** 32 - 1), 'fffffffe00000200')
  t.equal(of(2 ** 32), 'ffffffff00000200', 'too large')
  t.equal(of(2 ** 40), 'ffffffff00000200', 'too large')
})

t.test('READ CAPACITY: an LBA without PMI is 5/24/00 [SBC-2 §5.10.1]', async t => {
  failsWith(t, send('25 00 00000001 0000 00 00'), senseCodes.invalidFieldInCdb, {
    field: { in: 'cdb', byte: 2, bit: 7 },
  })
  t.equal(send('25 00 00000001 0000 01 00').kind, 'dataIn')
  failsWith(t, send('9e 10 0000000000000001 00000020 00 00'), senseCodes.invalidFieldInCdb, {
    field: { in: 'cdb', byte: 2, bit: 7 },
  })
})

t.test('READ CAPACITY(16): 32 bytes, thin, not protected [SBC-3 §5.16.2]', async t => {
  const data = dataOf(
    send('9e 10 0000000000000000 00000020 00 00', contextOf({ ...disk, sizeBlocks: 2 ** 53, blockBytes: 4096 })),
  )
  t.equal(data.toString('hex'), '001fffffffffffff' + '00001000' + '0000c000' + '00'.repeat(16))
  const tail = (lu: typeof disk) =>
    dataOf(send('9e 10 0000000000000000 00000020 00 00', contextOf(lu))).toString('hex', 8, 16)
  t.equal(tail(disk), '000002000000c000')
  t.equal(tail({ ...disk, physicalBlockBytes: 4096 }), '000002000003c000', 'eight logical blocks in a physical one')
  t.equal(tail({ ...disk, thin: false }), '0000020000000000', 'a fully provisioned unit is not thin')
  for (let length = 0; length <= 33; length++) {
    t.equal(
      dataOf(send(`9e 10 0000000000000000 ${length.toString(16).padStart(8, '0')} 00 00`)).length,
      Math.min(length, 32),
    )
  }
})

t.test('SERVICE ACTION IN(16) with another service action: 5/24/00 [SPC-4 §4.2.5.2]', async t => {
  failsWith(t, send('9e 11'), senseCodes.invalidFieldInCdb, { field: { in: 'cdb', byte: 1, bit: 4 } })
})

const report = (select: string, length = '00001000', context = contextOf()) =>
  send(`a0 00 ${select} 000000 ${length} 00 00`, context)

t.test('REPORT LUNS: SELECT REPORT 0, 1, 2 [SPC-4 §6.33]', async t => {
  const luns = '0000000000000000' + '0001000000000000' + '4100000000000000'
  t.equal(dataOf(report('00')).toString('hex'), '0000001800000000' + luns)
  t.equal(dataOf(report('01')).toString('hex'), '0000000800000000' + 'c101000000000000')
  t.equal(dataOf(report('02')).toString('hex'), '0000002000000000' + luns + 'c101000000000000')
  failsWith(t, report('03'), senseCodes.invalidFieldInCdb, { field: { in: 'cdb', byte: 2, bit: 7 } })
})

t.test(
  'REPORT LUNS is answered by LUN 0 without a unit, by the well known unit, and when there is nothing [SPC-4 §6.33]',
  async t => {
    t.equal(dataOf(report('00', '00000010', nowhere(0))).length, 16)
    t.equal(dataOf(report('00', '00000020', nowhere(REPORT_LUNS_WLUN))).length, 32)
    t.equal(
      dataOf(report('00', '00000020', { ...nowhere(0), target: { ...target, luns: [] } })).toString('hex'),
      '0000000000000000',
    )
  },
)

t.test(
  'REPORT LUNS: less than 16 bytes is 5/24/00; from there on it is cut, and LUN LIST LENGTH tells the size [SPC-4 §6.33]',
  async t => {
    failsWith(t, report('00', '0000000f'), senseCodes.invalidFieldInCdb, { field: { in: 'cdb', byte: 6, bit: 7 } })
    t.equal(dataOf(report('00', '00000010')).toString('hex'), '0000001800000000' + '0000000000000000')
  },
)
