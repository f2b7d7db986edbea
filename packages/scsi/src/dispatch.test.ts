// What comes before a command: is there a unit, is the operation code known, is CONTROL sound [SPC-4 §4.2, SAM-5 §5.2].

import t from 'tap'
import { commandName, reservationClass } from './dispatch.js'
import { REPORT_LUNS_WLUN } from './lun.js'
import { senseCodes } from './sense-codes.js'
import { cdbOf, dataOf, failsWith, nowhere, send } from './test-fixture.js'

t.test('an unknown operation code: 5/20/00 [SPC-4 §4.2.5.1]', async t => {
  for (const hex of ['01', '5d', '7f', 'c1', 'ff']) failsWith(t, send(hex), senseCodes.invalidCommandOperationCode)
})

t.test('NACA: 5/24/00, since NORMACA is zero [SAM-5 §5.2]', async t => {
  for (const [hex, byte] of [
    ['00 00 00 00 00 04', 5],
    ['28 00 00000000 00 0001 04', 9],
    ['a0 00 00 00 00 00 00 00 10 00 00 04', 11],
    ['9e 10 00 00 00 00 00 00 00 00 00 00 00 20 00 04', 15],
  ] as const) {
    failsWith(t, send(hex), senseCodes.invalidFieldInCdb, { field: { in: 'cdb', byte, bit: 2 } })
  }
})

t.test(
  'where there is no logical unit: 5/25/00 for everything [SPC-4 §4.5.6] but INQUIRY, REPORT LUNS and REQUEST SENSE',
  async t => {
    for (const hex of ['00', '28 00 00000000 00 0001 00', '1a 00 3f 00 ff 00', '25', '9e 10', 'ff', 'a3 0c']) {
      failsWith(t, send(hex, nowhere()), senseCodes.logicalUnitNotSupported)
    }
    t.equal(
      dataOf(send('03 00 00 00 12 00', nowhere())).toString('hex'),
      '70000500000000' + '0a' + '00000000' + '2500' + '00000000',
    )
    t.equal(send('12 00 00 00 24 00', nowhere()).kind, 'dataIn')
    t.equal(send('a0 00 00 00 00 00 00 00 10 00', nowhere()).kind, 'dataIn')
  },
)

t.test('the well known unit knows four commands [SPC-4 §8.2]', async t => {
  const context = nowhere(REPORT_LUNS_WLUN)
  t.same(send('00', context), { kind: 'status', status: 0 })
  t.equal(dataOf(send('03 00 00 00 12 00', context))[2], 0x00, 'NO SENSE')
  t.equal(send('12 00 00 00 24 00', context).kind, 'dataIn')
  t.equal(send('a0 00 00 00 00 00 00 00 10 00', context).kind, 'dataIn')
  for (const hex of ['28 00 00000000 00 0001 00', '1a 00 3f 00 ff 00', '25', '9e 10', '9e 1f', 'ff'])
    failsWith(t, send(hex, context), senseCodes.invalidCommandOperationCode)
})

t.test('names for logs', async t => {
  const name = (hex: string): string => commandName(cdbOf(hex), 0)
  t.equal(name('28'), 'READ(10)')
  t.equal(name('9e 10'), 'READ CAPACITY(16)')
  t.equal(name('9e 11'), 'SERVICE ACTION IN(16)/11h')
  t.equal(name('c1'), 'operation code C1h')
})

t.test('reservations: a command that nobody thought about is in conflict [SPC-4 §5.13.1]', async t => {
  const of = (hex: string): string => reservationClass(cdbOf(hex), 0)
  t.equal(of('c1'), 'conflict')
  t.equal(of('9e 11'), 'conflict')
  for (const hex of ['00', '03', '12', 'a0', '25', '9e 10']) t.equal(of(hex), 'allowed', hex)
  for (const hex of ['08', '28', 'a8', '88', '2f', 'af', '8f', '1a', '5a']) t.equal(of(hex), 'asRead', hex)
  for (const hex of ['0a', '2a', 'aa', '8a', '35', '91']) t.equal(of(hex), 'asWrite', hex)
})

t.test('reservations: only a plain START is allowed, stopping and power conditions are not [SBC-3 §4.17]', async t => {
  const of = (hex: string): string => reservationClass(cdbOf(hex), 0)
  t.equal(of('1b 00 00 00 01 00'), 'allowed')
  for (const hex of ['1b 00 00 00 00 00', '1b 00 00 00 02 00', '1b 00 00 00 11 00']) t.equal(of(hex), 'asWrite', hex)
})
