// RESERVE and RELEASE [SPC-2 §7.21, §7.16], PREVENT ALLOW MEDIUM REMOVAL [SBC-3 §5.10], target port groups [SPC-4 §6.37, §6.45] and
// REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS [SPC-4 §6.36].

import t from 'tap'
import { conflictsWithReserve, reservationClass } from '../dispatch.js'
import { senseCodes } from '../sense-codes.js'
import { cdbOf, contextOf, dataOf, disk, failsWith, send, target } from '../test-fixture.js'

const removable = contextOf({ ...disk, removable: true })
const good = { kind: 'status', status: 0 }

t.test('RESERVE and RELEASE are for the whole unit; extents and third parties are refused [SPC-2 §7.21.2]', async t => {
  for (const hex of ['16', '56']) t.same(send(hex), { kind: 'unit', change: { name: 'reserve' } })
  for (const hex of ['17', '57']) t.same(send(hex), { kind: 'unit', change: { name: 'release' } })
  for (const opcode of ['16', '17', '56', '57']) {
    failsWith(t, send(`${opcode} 01`), senseCodes.invalidFieldInCdb, { field: { in: 'cdb', byte: 1, bit: 0 } })
    failsWith(t, send(`${opcode} 10`), senseCodes.invalidFieldInCdb, { field: { in: 'cdb', byte: 1, bit: 4 } })
  }
  failsWith(t, send('56 00 00 05'), senseCodes.invalidFieldInCdb, { field: { in: 'cdb', byte: 3, bit: 2 } })
})

t.test('what a RESERVE of another nexus lets pass, and what not [SPC-2 §5.5.1, SBC-2 §4.12]', async t => {
  const conflicts = (hex: string) => conflictsWithReserve(cdbOf(hex), 0)
  for (const [name, hex] of [
    ['INQUIRY', '12'],
    ['REQUEST SENSE', '03'],
    ['REPORT LUNS', 'a0'],
    ['RELEASE(6)', '17'],
    ['RELEASE(10)', '57'],
    ['LOG SENSE', '4d'],
    ['allow medium removal', '1e'],
    ['start', '1b 00 00 00 01'],
    ['READ CAPACITY(10)', '25'],
    ['READ CAPACITY(16)', '9e 10'],
    ['REPORT TARGET PORT GROUPS', 'a3 0a'],
  ] as const)
    t.notOk(conflicts(hex), name)
  for (const [name, hex] of [
    ['TEST UNIT READY', '00'],
    ['READ(6)', '08'],
    ['READ(10)', '28'],
    ['WRITE(16)', '8a'],
    ['VERIFY(10)', '2f'],
    ['SYNCHRONIZE CACHE(10)', '35'],
    ['MODE SENSE(6)', '1a'],
    ['MODE SELECT(10)', '55'],
    ['RESERVE(6)', '16'],
    ['RESERVE(10)', '56'],
    ['prevent medium removal', '1e 00 00 00 01'],
    ['stop', '1b'],
    ['SET TARGET PORT GROUPS', 'a4 0a'],
    ['a command that is not there', 'c1'],
  ] as const)
    t.ok(conflicts(hex), name)
  t.equal(reservationClass(cdbOf('00'), 0), 'allowed', 'a persistent one lets TEST UNIT READY pass [SPC-4 §5.13.1]')
})

t.test(
  'PREVENT ALLOW MEDIUM REMOVAL: for this nexus; nothing to do where nothing can be removed [SBC-3 §5.10]',
  async t => {
    t.same(send('1e 00 00 00 01', removable), { kind: 'unit', change: { name: 'prevent', prevented: true } })
    t.same(send('1e 00 00 00 00', removable), { kind: 'unit', change: { name: 'prevent', prevented: false } })
    t.same(send('1e 00 00 00 01'), good)
    for (const prevent of ['02', '03'])
      failsWith(t, send(`1e 00 00 00 ${prevent}`, removable), senseCodes.invalidFieldInCdb, {
        field: { in: 'cdb', byte: 4, bit: 1 },
      })
  },
)

t.test('REPORT TARGET PORT GROUPS: one group of one port, active/optimized [SPC-4 §6.37]', async t => {
  const group = '00010001' + '00000001' + '00000001'
  const report = (byte1: string, context = contextOf()) =>
    dataOf(send(`a3 ${byte1} 00000000 00001000 00 00`, context)).toString('hex')
  t.equal(report('0a'), '0000000c' + group)
  t.equal(report('2a'), '00000010' + '10000000' + group, 'extended header')
  failsWith(t, send('a3 4a 00000000 00001000 00 00'), senseCodes.invalidFieldInCdb, {
    field: { in: 'cdb', byte: 1, bit: 7 },
  })
  t.equal(dataOf(send('a3 0a 00000000 00000004 00 00')).toString('hex'), '0000000c')
  const third = { ...contextOf(), target: { ...target, portalGroupTag: 3 } }
  t.equal(report('0a', third).slice(-4), '0003', 'the port of page 83h')
})

t.test('SET TARGET PORT GROUPS: only what is already so [SPC-4 §6.45]', async t => {
  const set = (list: string, sent = list) => {
    const outcome = send(`a4 0a 00000000 ${(list.length / 2).toString(16).padStart(8, '0')} 00 00`)
    return outcome.kind === 'parameterOut' ? outcome.apply(Buffer.from(sent, 'hex')) : outcome
  }
  t.same(set(''), good)
  t.same(set('00000000'), good)
  t.same(set('00000000' + '00000001'), good)
  for (const state of ['01', '02', '03', '0e', '0f'])
    failsWith(t, set(`00000000${state}000001`), senseCodes.invalidFieldInParameterList, {
      field: { in: 'parameterList', byte: 4, bit: 3 },
    })
  failsWith(t, set('00000000' + '00000001' + '00000002'), senseCodes.invalidFieldInParameterList, {
    field: { in: 'parameterList', byte: 10 },
  })
  for (const list of ['0000', '0000000000', '00000000000000'])
    failsWith(t, set(list), senseCodes.parameterListLengthError)
  failsWith(t, set('00000000' + '00000001', '00000000'), senseCodes.parameterListLengthError)
})

t.test('INQUIRY says that target port groups can be asked for and set (TPGS 11b) [SPC-4 §6.6.2]', async t => {
  t.equal((dataOf(send('12 00 00 00 ff 00'))[5]! >>> 4) & 3, 3)
})

t.test('REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS: short and extended [SPC-4 §6.36]', async t => {
  t.equal(dataOf(send('a3 0d 00000000 00000010 00 00')).toString('hex'), 'da000000')
  t.equal(dataOf(send('a3 0d 80000000 00000010 00 00')).toString('hex'), 'da00000c' + '00'.repeat(12))
  failsWith(t, send('a3 0d 00000000 00000003 00 00'), senseCodes.invalidFieldInCdb, {
    field: { in: 'cdb', byte: 6, bit: 7 },
  })
})
