// REPORT SUPPORTED OPERATION CODES tells the table as it is [SPC-4 §6.35].

import t from 'tap'
import { commandTable } from '../command-table.js'
import { senseCodes } from '../sense-codes.js'
import { dataOf, failsWith, send } from '../test-fixture.js'

const commands = Object.values(commandTable).flatMap(entry =>
  'serviceActions' in entry ? Object.values(entry.serviceActions) : [entry],
)

const request = (options: string, opcode = '00', action = '0000', length = '00010000') =>
  send(`a3 0c ${options} ${opcode} ${action} ${length} 00 00`)

t.test('all commands: one descriptor each, COMMAND DATA LENGTH says how much [SPC-4 §6.35.2]', async t => {
  const data = dataOf(request('00'))
  t.equal(data.readUInt32BE(0), data.length - 4)
  t.equal((data.length - 4) / 8, commands.length)
  t.equal(data.subarray(4, 12).toString('hex'), '0000000000000006', 'TEST UNIT READY')
  t.ok(data.includes(Buffer.from('9e00001000010010', 'hex')), 'READ CAPACITY(16) by service action')
  t.equal(dataOf(request('00', '00', '0000', '00000006')).length, 6)
})

t.test('RCTD adds a timeouts descriptor of 12 bytes to each [SPC-4 §6.35.4]', async t => {
  const data = dataOf(request('80'))
  t.equal(data.readUInt32BE(0), data.length - 4)
  t.equal(data.length - 4, commands.length * 20)
  for (let at = 4; at < data.length; at += 20) {
    t.equal(data[at + 5]! & 0x02, 0x02, 'CTDP')
    t.equal(data.readUInt16BE(at + 8), 0x0a)
  }
  t.equal(dataOf(request('81', '00')).toString('hex'), '00830006' + '000000000000' + '000a' + '00'.repeat(10))
})

t.test('one command: usage map with operation code and service action as values [SPC-4 §6.35.3]', async t => {
  t.equal(dataOf(request('01', '28')).toString('hex'), '0003000a' + '28fa' + 'ffffffff' + '00' + 'ffff' + '00')
  t.equal(dataOf(request('02', '9e', '0010')).toString('hex'), '00030010' + '9e10' + 'ff'.repeat(12) + '0100')
  t.equal(
    dataOf(request('01', '2f')).toString('hex'),
    '0003000a' + '2ff6' + 'ffffffff' + '00' + 'ffff' + '00',
    'DPO shows',
  )
  t.equal(dataOf(request('01', '12')).toString('hex'), '00030006' + '1201' + 'ff' + 'ffff' + '00')
})

t.test('one command that is not there: SUPPORT 001b [SPC-4 §6.35.3]', async t => {
  for (const [options, opcode, action] of [
    ['01', 'c2', '0000'],
    ['02', '9e', '0011'],
    ['03', '28', '0001'],
    ['02', 'c1', '0003'],
    ['02', '9e', '0030'],
  ] as const) {
    t.equal(dataOf(request(options, opcode, action)).toString('hex'), '00010000')
  }
})

t.test('every command of the list can be asked for by itself, with its own CDB length [SPC-4 §6.35.3]', async t => {
  const list = dataOf(request('00')).subarray(4)
  for (let at = 0; at < list.length; at += 8) {
    const opcode = list.toString('hex', at, at + 1)
    const action = list.toString('hex', at + 2, at + 4)
    const options = (list[at + 5]! & 1) === 1 ? '02' : '01'
    const one = dataOf(request(options, opcode, action))
    t.equal(one[1], 3, `${opcode}/${action}`)
    t.equal(one.readUInt16BE(2), list.readUInt16BE(at + 6))
    t.equal(one.length, 4 + one.readUInt16BE(2))
    t.equal(one.toString('hex', 4, 5), opcode)
    if (options === '02') t.equal(one[5]! & 0x1f, Number.parseInt(action, 16))
  }
})

t.test('no operation code and no service action leads past the table [SPC-4 §6.35.3]', async t => {
  for (let opcode = 0; opcode < 256; opcode++) {
    for (const action of ['0000', '0020', '00ff', '0100', 'ffff', '8000']) {
      for (const options of ['01', '02', '03']) {
        const outcome = request(options, opcode.toString(16).padStart(2, '0'), action)
        if (outcome.kind === 'dataIn')
          t.ok(outcome.data[1] === 1 || outcome.data.length === 4 + outcome.data.readUInt16BE(2))
        else failsWith(t, outcome, senseCodes.invalidFieldInCdb)
      }
    }
  }
})

t.test(
  '001b is for commands without, 010b for those with service actions, 011b for either [SPC-4 §6.35.1]',
  async t => {
    failsWith(t, request('01', '9e', '0010'), senseCodes.invalidFieldInCdb, { field: { in: 'cdb', byte: 3, bit: 7 } })
    failsWith(t, request('02', '28', '0000'), senseCodes.invalidFieldInCdb)
    t.equal(dataOf(request('03', '28'))[1], 3)
    t.equal(dataOf(request('03', '9e', '0010'))[1], 3)
    for (const options of ['04', '05', '06', '07'])
      failsWith(t, request(options, '28'), senseCodes.invalidFieldInCdb, { field: { in: 'cdb', byte: 2, bit: 2 } })
  },
)
