// VERIFY, SYNCHRONIZE CACHE, START STOP UNIT, TEST UNIT READY [SBC-3 §5.25-5.31, SPC-4 §6.47].

import t from 'tap'
import { transferDirection, transferLengthBytes } from '../outcome.js'
import { senseCodes } from '../sense-codes.js'
import { contextOf, disk, failsWith, send } from '../test-fixture.js'

const verifies = (flags: string, lba: string, blocks: string): string[] => [
  `2f ${flags} 0000${lba} 00 ${blocks} 00`,
  `af ${flags} 0000${lba} 0000${blocks} 00 00`,
  `8f ${flags} 000000000000${lba} 0000${blocks} 00 00`,
]

t.test('VERIFY: BYTCHK says what is sent and compared [SBC-3 §5.29]', async t => {
  for (const [flags, byteCheck, bytes] of [
    ['00', 0, 0],
    ['02', 1, 3 * 512],
    ['06', 3, 512],
    ['12', 1, 3 * 512],
  ] as const) {
    for (const hex of verifies(flags, '0010', '0003')) {
      const outcome = send(hex)
      t.same(outcome, { kind: 'verify', lba: 0x10, blocks: 3, byteCheck })
      t.equal(transferLengthBytes(outcome, disk), bytes)
      t.equal(transferDirection(outcome), bytes === 0 ? 'none' : 'out')
    }
  }
})

t.test('VERIFY: BYTCHK 2 and VRPROTECT are 5/24/00 [SBC-3 §5.29]', async t => {
  for (const hex of verifies('04', '0000', '0001'))
    failsWith(t, send(hex), senseCodes.invalidFieldInCdb, { field: { in: 'cdb', byte: 1, bit: 2 } })
  for (const hex of verifies('20', '0000', '0001'))
    failsWith(t, send(hex), senseCodes.invalidFieldInCdb, { field: { in: 'cdb', byte: 1, bit: 7 } })
})

t.test('VERIFY: no blocks is no error, too many are [SBC-3 §5.29, §6.6.4]', async t => {
  for (const hex of verifies('02', '0000', '0000')) t.same(send(hex), { kind: 'status', status: 0 })
  for (const hex of verifies('00', '0000', '0801')) failsWith(t, send(hex), senseCodes.invalidFieldInCdb)
  failsWith(t, send('2f 02 00100001 00 0000 00'), senseCodes.lbaOutOfRange)
  failsWith(t, send('8f 02 ffffffffffffffff 00000001 00 00'), senseCodes.lbaOutOfRange, {
    information: 0xffff_ffff_ffff_ffffn,
  })
})

t.test('VERIFY reads only, so a read-only unit does it [SBC-3 §5.29]', async t => {
  t.equal(send('2f 02 00000000 00 0001 00', contextOf({ ...disk, readOnly: true })).kind, 'verify')
})

t.test('SYNCHRONIZE CACHE: a range, or everything from the LBA on [SBC-3 §5.26]', async t => {
  t.same(send('35 00 00000000 00 0000 00'), { kind: 'flush', lba: 0, blocks: disk.sizeBlocks, immediate: false })
  t.same(send('35 02 000ffffe 00 0000 00'), { kind: 'flush', lba: 0xffffe, blocks: 2, immediate: true })
  t.same(send('35 04 00000008 00 0010 00'), { kind: 'flush', lba: 8, blocks: 16, immediate: false }, 'SYNC_NV')
  t.same(send('91 00 0000000000000008 00000010 00 00'), { kind: 'flush', lba: 8, blocks: 16, immediate: false })
  failsWith(t, send('35 00 000fffff 00 0002 00'), senseCodes.lbaOutOfRange, { information: 0x100000n })
  failsWith(t, send('91 00 0000000100000000 00000000 00 00'), senseCodes.lbaOutOfRange, { information: 0x1_0000_0000n })
})

t.test('SYNCHRONIZE CACHE is not held to MAXIMUM TRANSFER LENGTH: nothing is transferred [SBC-3 §6.6.4]', async t => {
  t.same(send('91 00 0000000000000000 00100000 00 00'), { kind: 'flush', lba: 0, blocks: 0x10_0000, immediate: false })
})

t.test(
  'START STOP UNIT: stopping makes the cache durable, unless NO_FLUSH, and the unit stays ready [SBC-3 §5.25]',
  async t => {
    t.same(send('1b 00 00 00 01 00'), { kind: 'status', status: 0 }, 'START')
    t.same(send('1b 01 00 00 00 00'), { kind: 'flush', lba: 0, blocks: disk.sizeBlocks, immediate: true })
    t.same(send('1b 00 00 00 04 00'), { kind: 'status', status: 0 }, 'NO_FLUSH')
  },
)

t.test('START STOP UNIT: a fixed unit refuses LOEJ, a removable one loads and ejects [SBC-3 §5.25]', async t => {
  for (const last of ['02', '03'])
    failsWith(t, send(`1b 00 00 00 ${last} 00`), senseCodes.invalidFieldInCdb, {
      field: { in: 'cdb', byte: 4, bit: 1 },
    })
  const removable = contextOf({ ...disk, removable: true })
  t.same(send('1b 00 00 00 02 00', removable), { kind: 'medium', action: 'eject', flush: true, immediate: false })
  t.same(send('1b 01 00 00 03 00', removable), { kind: 'medium', action: 'load', flush: false, immediate: true })
  t.same(send('1b 00 00 00 02 00', contextOf({ ...disk, removable: true, mediumPresent: false })), {
    kind: 'medium',
    action: 'eject',
    flush: false,
    immediate: false,
  })
})

t.test('START STOP UNIT: with a POWER CONDITION, START and LOEJ are ignored [SBC-3 §5.25]', async t => {
  const removable = contextOf({ ...disk, removable: true })
  for (let condition = 1; condition < 16; condition++)
    t.same(send(`1b 01 00 00 ${condition.toString(16)}2 00`, removable), { kind: 'status', status: 0 })
})

t.test('an ejected medium: 2/3A/00 for what needs one, not for the rest [SBC-3 §4.3]', async t => {
  const ejected = contextOf({ ...disk, removable: true, mediumPresent: false })
  for (const hex of [
    '00',
    '25',
    '9e 10',
    '28 00 00000000 00 0001 00',
    '2a 00 00000000 00 0001 00',
    '2f',
    '35',
    '91',
    '08',
    '0a',
  ]) {
    failsWith(t, send(hex, ejected), senseCodes.mediumNotPresent)
  }
  for (const hex of [
    '12 00 00 00 24 00',
    '1a 00 3f 00 ff 00',
    'a0 00 00 00 00 00 00 00 00 10',
    'a3 0c 00 00 00 00 00 00 10 00',
  ])
    t.equal(send(hex, ejected).kind, 'dataIn')
  const sense = send('03 00 00 00 12 00', ejected)
  t.equal(sense.kind === 'dataIn' && sense.data[12], 0x3a, 'REQUEST SENSE says why')
})

t.test('TEST UNIT READY: GOOD [SPC-4 §6.47]', async t => {
  t.same(send('00'), { kind: 'status', status: 0 })
})
