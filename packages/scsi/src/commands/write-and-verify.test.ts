// WRITE AND VERIFY (10), (12), (16) [SBC-3 §5.37-5.39].

import t from 'tap'
import { reservationClass } from '../dispatch.js'
import { transferDirection, transferLengthBytes } from '../outcome.js'
import { senseCodes } from '../sense-codes.js'
import { cdbOf, contextOf, disk, failsWith, send } from '../test-fixture.js'

const all = (flags: string, lba: string, blocks: string): string[] => [
  `2e ${flags} ${lba} 00 ${blocks} 00`,
  `ae ${flags} ${lba} 0000${blocks} 00 00`,
  `8e ${flags} 00000000${lba} 0000${blocks} 00 00`,
]

t.test('the data is sent whether or not it is compared [SBC-3 §5.37]', async t => {
  for (const [flags, byteCheck] of [
    ['00', 0],
    ['02', 1],
    ['12', 1],
  ] as const) {
    for (const hex of all(flags, '00000010', '0003')) {
      const outcome = send(hex)
      t.same(outcome, { kind: 'writeAndVerify', lba: 0x10, blocks: 3, byteCheck })
      t.equal(transferDirection(outcome), 'out')
      t.equal(transferLengthBytes(outcome, disk), 3 * 512)
      t.equal(reservationClass(cdbOf(hex), 0), 'asWrite')
    }
  }
})

t.test('BYTCHK 2 and 3, and WRPROTECT, are 5/24/00 [SBC-3 §5.37]', async t => {
  for (const flags of ['04', '06'])
    for (const hex of all(flags, '00000000', '0001'))
      failsWith(t, send(hex), senseCodes.invalidFieldInCdb, { field: { in: 'cdb', byte: 1, bit: 2 } })
  for (const hex of all('20', '00000000', '0001'))
    failsWith(t, send(hex), senseCodes.invalidFieldInCdb, { field: { in: 'cdb', byte: 1, bit: 7 } })
})

t.test('no blocks, too many, beyond the end, read-only [SBC-3 §4.18, §6.6.4]', async t => {
  for (const hex of all('02', '00000000', '0000')) t.same(send(hex), { kind: 'status', status: 0 })
  for (const hex of all('00', '00000000', '0801')) failsWith(t, send(hex), senseCodes.invalidFieldInCdb)
  for (const hex of all('00', '000fffff', '0002'))
    failsWith(t, send(hex), senseCodes.lbaOutOfRange, { information: 0x100000n })
  for (const hex of all('00', '00000000', '0001'))
    failsWith(t, send(hex, contextOf({ ...disk, readOnly: true })), senseCodes.writeProtected)
})
