// MODE SENSE (6) and (10) [SPC-4 §6.13, §6.14; SBC-3 §6.5].

import t from 'tap'
import { senseCodes } from '../sense-codes.js'
import { contextOf, dataOf, disk, failsWith, send } from '../test-fixture.js'

const recovery = '010a' + '00'.repeat(10)
const caching = '0812' + '04' + '00'.repeat(17)
const control = '0a0a' + '0210' + '00000000' + 'ffff' + '0000'
const exceptions = '1c0a' + '08' + '00'.repeat(9)
const all = recovery + caching + control + exceptions
const shortDescriptor = '00100000' + '00' + '000200'

const hexOf = (cdb: string, context = contextOf()): string => dataOf(send(cdb, context)).toString('hex')

t.test('MODE SENSE(6), all pages: header, block descriptor, pages in ascending order [SPC-4 §6.13.2]', async t => {
  t.equal(hexOf('1a 00 3f 00 ff 00'), '43001008' + shortDescriptor + all)
  t.equal(hexOf('1a 00 3f ff ff 00'), '43001008' + shortDescriptor + all, 'with subpages, of which there are none')
  t.equal(hexOf('1a 08 3f 00 ff 00'), '3b001000' + all, 'DBD')
})

t.test('one page at a time [SPC-4 §6.13.2]', async t => {
  for (const [code, page] of [
    ['01', recovery],
    ['08', caching],
    ['0a', control],
    ['1c', exceptions],
  ] as const) {
    const length = (3 + page.length / 2).toString(16).padStart(2, '0')
    t.equal(hexOf(`1a 08 ${code} 00 ff 00`), `${length}001000${page}`)
    t.equal(hexOf(`1a 08 ${code} ff ff 00`), `${length}001000${page}`)
  }
})

t.test('WCE is set: data is promised to be durable only after FUA or SYNCHRONIZE CACHE [SBC-3 §6.5.5]', async t => {
  t.equal(dataOf(send('1a 08 08 00 ff 00'))[6], 0x04)
})

t.test(
  'MODE SENSE(10): two bytes of length, long descriptor only when accepted (LLBAA) [SPC-4 §6.14, SBC-3 §6.5.2]',
  async t => {
    t.equal(hexOf('5a 00 3f 00 000000 00ff 00'), '0046001000000008' + shortDescriptor + all)
    t.equal(
      hexOf('5a 10 0a 00 000000 00ff 00'),
      '0022001001000010' + '0000000000100000' + '00000000' + '00000200' + control,
    )
    t.equal(hexOf('5a 18 0a 00 000000 00ff 00'), '0012001000000000' + control, 'DBD beats LLBAA')
    const large = contextOf({ ...disk, sizeBlocks: 2 ** 40, blockBytes: 4096 })
    t.equal(
      hexOf('5a 10 0a 00 000000 0018 00', large),
      '0022001001000010' + '0000010000000000' + '00000000' + '00001000',
    )
    t.equal(hexOf('5a 00 0a 00 000000 0010 00', large), '001a001000000008' + 'ffffffff' + '00' + '001000')
  },
)

t.test('a read-only unit shows WP, every unit DPOFUA [SBC-3 §6.5.1]', async t => {
  const context = contextOf({ ...disk, readOnly: true })
  t.equal(dataOf(send('1a 00 3f 00 ff 00', context))[2], 0x90)
  t.equal(dataOf(send('5a 00 3f 00 000000 00ff 00', context))[3], 0x90)
  t.equal(dataOf(send('1a 00 3f 00 ff 00'))[2], 0x10)
})

t.test('PAGE CONTROL: defaults, of the caching page nothing is changeable, saved 5/39/00 [SPC-4 §6.13.1]', async t => {
  t.equal(hexOf('1a 08 bf 00 ff 00'), '3b001000' + all)
  t.equal(hexOf('1a 08 48 00 ff 00'), '17001000' + '0812' + '00'.repeat(18))
  failsWith(t, send('1a 08 ff 00 ff 00'), senseCodes.savingParametersNotSupported)
})

t.test('a page or subpage that is not there: 5/24/00 [SPC-4 §6.13.1]', async t => {
  failsWith(t, send('1a 00 02 00 ff 00'), senseCodes.invalidFieldInCdb, { field: { in: 'cdb', byte: 2, bit: 5 } })
  failsWith(t, send('1a 00 0a 01 ff 00'), senseCodes.invalidFieldInCdb, { field: { in: 'cdb', byte: 3, bit: 7 } })
  failsWith(t, send('5a 00 3f 01 000000 00ff 00'), senseCodes.invalidFieldInCdb, {
    field: { in: 'cdb', byte: 3, bit: 7 },
  })
})

t.test('a short allocation cuts the data; MODE DATA LENGTH tells the size [SPC-4 §4.2.5.6]', async t => {
  t.equal(hexOf('1a 00 3f 00 04 00'), '43001008')
  t.equal(hexOf('5a 00 3f 00 000000 0002 00'), '0046')
  t.equal(hexOf('1a 00 3f 00 00 00'), '')
})

t.test('without a medium the descriptor counts no blocks [SBC-3 §6.5.2]', async t => {
  t.equal(
    hexOf('1a 00 0a 00 0c 00', contextOf({ ...disk, removable: true, mediumPresent: false })),
    '17001008' + '00000000' + '00' + '000200',
  )
})
