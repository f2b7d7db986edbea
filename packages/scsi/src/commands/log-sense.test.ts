// LOG SENSE [SPC-4 §6.8] and the lists of log pages [SPC-4 §7.3.13, §7.3.14].

import t from 'tap'
import { senseCodes } from '../sense-codes.js'
import { cdbOf, dataOf, disk, failsWith, send } from '../test-fixture.js'
import type { LogPage } from './log-pages.js'
import { logPages } from './log-pages.js'
import { logSenseOf } from './log-sense.js'

const sample: readonly LogPage[] = [
  {
    code: 0x0c,
    subpage: 0,
    on: ({ thin }) => thin,
    parameters: () => [
      { code: 1, control: 3, value: Buffer.from('00000010', 'hex') },
      { code: 0x100, control: 3, value: Buffer.from('ff', 'hex') },
    ],
  },
  { code: 0x2f, subpage: 4, parameters: () => [] },
]
const log = (hex: string, lu = disk) => logSenseOf(sample, cdbOf(hex), 0, lu)
const hexOf = (hex: string, lu = disk): string => dataOf(log(hex, lu)).toString('hex')

t.test('page 00h lists the pages, 00h/FFh the subpages too [SPC-4 §7.3.13, §7.3.14]', async t => {
  t.equal(hexOf('4d 00 40 00 00 0000 00ff 00'), '00000003' + '000c2f')
  t.equal(hexOf('4d 00 40 ff 00 0000 00ff 00'), '40ff0008' + '0000' + '00ff' + '0c00' + '2f04')
  t.equal(hexOf('4d 00 40 00 00 0000 00ff 00', { ...disk, thin: false }), '00000002' + '002f', 'a page of other units')
})

t.test('what the unit lists, it answers [SPC-4 §7.3.14]', async t => {
  const list = dataOf(send('4d 00 40 ff 00 0000 00ff 00')).subarray(4)
  t.equal(list.length, 4 + 2 * logPages.length)
  for (let at = 0; at < list.length; at += 2) {
    const [page, subpage] = [0x40 | list[at]!, list[at + 1]!].map(byte => byte.toString(16).padStart(2, '0'))
    const data = dataOf(send(`4d 00 ${page} ${subpage} 00 0000 ffff 00`))
    t.equal(data[0]! & 0x3f, list[at])
    t.equal(data.readUInt16BE(2), data.length - 4)
  }
})

t.test('the parameters of a page, from the pointer on [SPC-4 §6.8, §7.3.2]', async t => {
  t.equal(hexOf('4d 00 4c 00 00 0000 00ff 00'), '8c00000d' + '00010304' + '00000010' + '01000301' + 'ff')
  t.equal(hexOf('4d 00 4c 00 00 0002 00ff 00'), '8c000005' + '01000301' + 'ff')
  t.equal(hexOf('4d 00 6f 04 00 0000 00ff 00'), 'ef040000', 'a subpage says so (SPF)')
  t.equal(hexOf('4d 00 4c 00 00 0000 0004 00'), '8c00000d', 'cut to the allocation length')
})

t.test('what is not there is refused where it stands [SPC-4 §6.8]', async t => {
  const refused = (hex: string, byte: number, bit: number) =>
    failsWith(t, log(hex), senseCodes.invalidFieldInCdb, { field: { in: 'cdb', byte, bit } })
  refused('4d 01 40 00 00 0000 00ff 00', 1, 0) // SP
  refused('4d 00 4d 00 00 0000 00ff 00', 2, 5) // temperature
  refused('4d 00 4c 01 00 0000 00ff 00', 3, 7)
  refused('4d 00 40 01 00 0000 00ff 00', 3, 7)
  refused('4d 00 40 00 00 0001 00ff 00', 5, 7)
  refused('4d 00 4c 00 00 0101 00ff 00', 5, 7)
})
