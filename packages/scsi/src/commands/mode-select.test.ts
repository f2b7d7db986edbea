// MODE SELECT (6) and (10) [SPC-4 §6.11, §6.12]: what is taken, what is refused, and that nothing is changed before all of it was looked at.

import fc from 'fast-check'
import t from 'tap'
import type { Outcome } from '../outcome.js'
import { senseCodes } from '../sense-codes.js'
import { contextOf, dataOf, disk, failsWith, send } from '../test-fixture.js'

const control = (byte2: string, byte4: string) => `0a0a${byte2}10${byte4}000000ffff0000`
const recovery = '010a' + '00'.repeat(10)
const hexLength = (hex: string, digits: number) => (hex.length / 2).toString(16).padStart(digits, '0')

/** What the list comes to: sent whole, by MODE SELECT (6) unless told. */
function select(list: string, { lu = disk, ten = false, sent = list } = {}): Outcome {
  const cdb = ten ? `55 10 00000000 00 ${hexLength(list, 4)} 00` : `15 10 00 00 ${hexLength(list, 2)} 00`
  const outcome = send(cdb, contextOf(lu))
  if (outcome.kind !== 'parameterOut') return outcome
  t.equal(outcome.lengthBytes, list.length / 2)
  return outcome.apply(Buffer.from(sent, 'hex'))
}

const setMode = (softwareWriteProtect: boolean, descriptorSense: boolean): Outcome => ({
  kind: 'unit',
  change: { name: 'setMode', softwareWriteProtect, descriptorSense },
})
const good: Outcome = { kind: 'status', status: 0 }

t.test('SWP and D_SENSE of the control page can be set [SPC-4 §7.5.8]', async t => {
  t.same(select('00000000' + control('02', '08')), setMode(true, false))
  t.same(select('00000000' + control('06', '00')), setMode(false, true))
  t.same(select('0000000000000000' + control('06', '08'), { ten: true }), setMode(true, true))
  t.same(select('00000000' + recovery + control('06', '00')), setMode(false, true), 'behind another page')
  const set = { ...disk, readOnly: true, softwareWriteProtect: true, descriptorSense: true }
  t.same(select('00000000' + control('02', '00'), { lu: set }), setMode(false, false), 'and taken back')
})

t.test('what MODE SENSE gave can be sent back, and changes nothing [SPC-4 §6.11]', async t => {
  for (const lu of [disk, { ...disk, readOnly: true, softwareWriteProtect: true, descriptorSense: true }]) {
    const six = dataOf(send('1a 00 3f 00 ff 00', contextOf(lu))).toString('hex')
    t.same(select(six, { lu }), good)
    const ten = dataOf(send('5a 10 3f 00 000000 00ff 00', contextOf(lu))).toString('hex')
    t.same(select(ten, { lu, ten: true }), good, 'with the long block descriptor')
  }
})

t.test('MODE SENSE shows what is set, its default and what can be changed [SPC-4 §6.13.1]', async t => {
  const context = contextOf({ ...disk, readOnly: true, softwareWriteProtect: true, descriptorSense: true })
  const page = (cdb: string) => dataOf(send(cdb, context)).toString('hex').slice(8)
  t.equal(page('1a 08 0a 00 ff 00'), control('06', '08'))
  t.equal(page('1a 08 8a 00 ff 00'), control('02', '00'), 'default')
  t.equal(page('1a 08 4a 00 ff 00'), '0a0a' + '0400' + '08' + '00'.repeat(7), 'changeable')
})

t.test('an empty list is no error; nothing can be saved; PF is needed [SPC-4 §6.11]', async t => {
  t.same(send('15 10 00 00 00 00'), good)
  t.same(send('55 10 00000000 00 0000 00'), good)
  failsWith(t, send('15 11 00 00 10 00'), senseCodes.invalidFieldInCdb, { field: { in: 'cdb', byte: 1, bit: 0 } })
  failsWith(t, send('15 00 00 00 10 00'), senseCodes.invalidFieldInCdb, { field: { in: 'cdb', byte: 1, bit: 4 } })
})

t.test('a list that ends within a header, a descriptor or a page: 1A/00 [SPC-4 §6.11]', async t => {
  const whole = '00000008' + '00100000' + '00000200' + control('06', '08')
  const ends = [12, 24]
  for (let bytes = 1; bytes <= 24; bytes++) {
    const outcome = select(whole.slice(0, bytes * 2))
    if (ends.includes(bytes)) t.not(outcome.kind === 'status' && outcome.status, 0x02, `${bytes} bytes are whole`)
    else failsWith(t, outcome, senseCodes.parameterListLengthError)
  }
  failsWith(t, select(whole, { sent: whole.slice(0, 24) }), senseCodes.parameterListLengthError)
})

t.test('what cannot be changed has to be as it is: 26/00 with a pointer [SPC-4 §6.11, §4.5.2.4.2]', async t => {
  const refused = (list: string, byte: number, bit?: number, ten = false) =>
    failsWith(t, select(list, { ten }), senseCodes.invalidFieldInParameterList, {
      field: { in: 'parameterList', byte, ...(bit === undefined ? {} : { bit }) },
    })
  refused('00000000' + control('0e', '08'), 6, 3) // a bit beside D_SENSE
  refused('00000000' + control('02', '18'), 8, 4) // a bit beside SWP
  refused('00000000' + '0812' + '00'.repeat(18), 6, 2) // WCE
  refused('00000000' + '0209' + '00'.repeat(9), 4, 5) // a page that is not there
  refused('00000000' + '4a01' + '00'.repeat(10), 4, 6) // a subpage
  refused('00000000' + '0a09' + '02100000000000ffff', 5) // another length
  refused('00010000' + control('02', '08'), 1) // medium type
  refused('00000004' + '00100000' + control('02', '08'), 3)
  refused('00000008' + '00000001' + '00000200', 4)
  refused('00000008' + '00100000' + '00001000', 9)
  refused('0000000001000010' + '0000000000000001' + '00000000' + '00000200', 8, undefined, true)
  refused('00000000' + control('06', '08') + '0209' + '00'.repeat(9), 16, 5) // nothing is changed before all was seen
})

t.test('no list of any bytes does anything but succeed, set the two bits, or fail', async t => {
  const list = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 80 }),
    fc
      .tuple(fc.constantFrom(0, 8), fc.uint8Array({ maxLength: 60 }))
      .map(([length, rest]) => Uint8Array.from([0, 0, 0, length, ...rest])),
  )
  fc.assert(
    fc.property(list, bytes => {
      const outcome = select(Buffer.from(bytes).toString('hex'))
      if (outcome.kind === 'unit') return outcome.change.name === 'setMode'
      if (outcome.kind !== 'status') return false
      return outcome.status === 0 || [0x1a, 0x26].includes(outcome.sense?.code.asc ?? 0)
    }),
    { numRuns: 5_000 },
  )
  t.pass()
})
