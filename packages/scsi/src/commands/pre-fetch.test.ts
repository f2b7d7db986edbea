// PRE-FETCH (10), (16) [SBC-3 §5.8, §5.9] and READ DEFECT DATA (10), (12) [SBC-3 §5.17, §5.18].

import t from 'tap'
import { reservationClass } from '../dispatch.js'
import { transferDirection } from '../outcome.js'
import { senseCodes } from '../sense-codes.js'
import { cdbOf, contextOf, dataOf, disk, failsWith, send } from '../test-fixture.js'

const preFetches = (flags: string, lba: string, blocks: string): string[] => [
  `34 ${flags} ${lba} 00 ${blocks} 00`,
  `90 ${flags} 00000000${lba} 0000${blocks} 00 00`,
]

t.test('PRE-FETCH names a range and moves nothing over the wire [SBC-3 §5.8]', async t => {
  for (const [flags, immediate] of [
    ['00', false],
    ['02', true],
  ] as const) {
    for (const hex of preFetches(flags, '00000010', '0003')) {
      const outcome = send(hex, contextOf({ ...disk, readOnly: true }))
      t.same(outcome, { kind: 'preFetch', lba: 0x10, blocks: 3, fits: true, immediate })
      t.equal(transferDirection(outcome), 'none')
      t.equal(reservationClass(cdbOf(hex), 0), 'asRead')
    }
  }
})

t.test('PRE-FETCH of no length is of all blocks to the end, which may not fit [SBC-3 §5.8]', async t => {
  for (const hex of preFetches('00', '000ffffe', '0000'))
    t.match(send(hex), { kind: 'preFetch', lba: 0xffffe, blocks: 2, fits: true })
  for (const hex of preFetches('00', '00000000', '0000'))
    t.match(send(hex), { kind: 'preFetch', blocks: disk.maxTransferBlocks, fits: false })
  for (const hex of preFetches('00', '00100000', '0000'))
    t.same(send(hex), { kind: 'status', status: 0x04 }, 'CONDITION MET: none were wanted and none are missing')
})

t.test('PRE-FETCH beyond the end is 5/21/00, of more than MAXIMUM PREFETCH LENGTH 5/24/00 [SBC-3 §6.6.4]', async t => {
  for (const hex of preFetches('00', '000fffff', '0002'))
    failsWith(t, send(hex), senseCodes.lbaOutOfRange, { information: 0x100000n })
  for (const hex of preFetches('00', '00100001', '0000')) failsWith(t, send(hex), senseCodes.lbaOutOfRange)
  for (const hex of preFetches('00', '00000000', '0801')) failsWith(t, send(hex), senseCodes.invalidFieldInCdb)
})

t.test('READ DEFECT DATA: the lists asked for are there and empty, in the format asked for [SBC-3 §5.17]', async t => {
  t.equal(dataOf(send('37 00 1d 00000000 0020 00')).toString('hex'), '001d0000', 'both lists')
  t.equal(dataOf(send('37 00 10 00000000 0020 00')).toString('hex'), '00100000', 'PLIST')
  t.equal(dataOf(send('37 00 08 00000000 0020 00')).toString('hex'), '00080000', 'GLIST')
  t.equal(dataOf(send('37 00 04 00000000 0020 00')).toString('hex'), '00040000', 'neither')
  t.equal(dataOf(send('b7 1d 00000000 00000020 00 00')).toString('hex'), '001d000000000000')
  t.equal(
    dataOf(send('b7 08 00000007 00000020 00 00')).toString('hex'),
    '0008000000000000',
    'behind the last descriptor',
  )
  t.equal(dataOf(send('37 00 1d 00000000 0003 00')).toString('hex'), '001d00', 'cut')
})

t.test('READ DEFECT DATA: the reserved format is 5/24/00 [SBC-3 §5.17]', async t => {
  failsWith(t, send('37 00 07 00000000 0020 00'), senseCodes.invalidFieldInCdb, {
    field: { in: 'cdb', byte: 2, bit: 2 },
  })
  failsWith(t, send('b7 07 00000000 00000020 00 00'), senseCodes.invalidFieldInCdb, {
    field: { in: 'cdb', byte: 1, bit: 2 },
  })
})
