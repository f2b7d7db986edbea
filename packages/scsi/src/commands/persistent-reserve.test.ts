// PERSISTENT RESERVE IN and OUT: CDBs, parameter lists and parameter data [SPC-4 §6.15, §6.16]. Lists and data are written here by hand.

import t from 'tap'
import type { Outcome } from '../outcome.js'
import { persistentReserveInData } from '../reservations/persistent-reserve-in-data.js'
import type { ReservationState } from '../reservations/reservation-state.js'
import { NO_RESERVATIONS } from '../reservations/reservation-state.js'
import { encodeTransportId } from '../reservations/transport-id.js'
import { senseCodes } from '../sense-codes.js'
import { failsWith, send } from '../test-fixture.js'
import { reservationRefused } from './persistent-reserve.js'

const PORT = 'iqn.2025-01.test:a,i,0x000000000001'
const KEYS = '00000000000000aa 00000000000000bb'
const list = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex')
const basic = (flags = '00'): Buffer => list(`${KEYS} 00000000 ${flags} 00 0000`)

/** Sends the CDB of a service action with that list, of which the initiator sends `sent` bytes. */
function out(action: string, scopeAndType: string, parameters: Buffer, sent = parameters.length): Outcome {
  const length = parameters.length.toString(16).padStart(8, '0')
  const outcome = send(`5f ${action} ${scopeAndType} 00 00 ${length} 00`)
  return outcome.kind === 'parameterOut' ? outcome.apply(parameters.subarray(0, sent)) : outcome
}

t.test('each service action with its fields [SPC-4 §6.16.2, §6.16.3]', async t => {
  const key = '00000000000000aa'
  const newKey = '00000000000000bb'
  const register = { name: 'register', key, newKey, ignoreKey: false, persist: false, allTargetPorts: false }
  const expected: [action: string, type: string, flags: string, done: object][] = [
    ['00', '00', '00', register],
    ['00', 'ff', '05', { ...register, persist: true, allTargetPorts: true }],
    ['06', '00', '01', { ...register, ignoreKey: true, persist: true }],
    ['01', '05', '00', { name: 'reserve', key, scope: 0, type: 5 }],
    ['02', '18', '05', { name: 'release', key, scope: 1, type: 8 }],
    ['03', 'ff', '00', { name: 'clear', key }],
    ['04', '06', '00', { name: 'preempt', key, victimKey: newKey, scope: 0, type: 6, abort: false }],
    ['05', '01', '00', { name: 'preempt', key, victimKey: newKey, scope: 0, type: 1, abort: true }],
  ]
  for (const [action, type, flags, done] of expected)
    t.same(out(action, type, basic(flags)), { kind: 'reserveOut', action: done }, `service action ${action}`)
})

t.test('lists of other lengths, or of which a part does not come: 5/1A/00 [SPC-4 §6.16.3]', async t => {
  for (const action of ['00', '01', '02', '03', '04', '05', '06']) {
    for (let length = 0; length <= 64; length++)
      if (length !== 24) failsWith(t, out(action, '05', Buffer.alloc(length)), senseCodes.parameterListLengthError)
    failsWith(t, out(action, '05', basic(), 23), senseCodes.parameterListLengthError)
    failsWith(t, out(action, '05', basic(), 0), senseCodes.parameterListLengthError)
  }
  for (const length of ['00010001', 'ffffffff'])
    failsWith(t, send(`5f 00 00 00 00 ${length} 00`), senseCodes.parameterListLengthError)
})

t.test('SPEC_I_PT: with REGISTER alone, and a list that is whole [SPC-4 §6.16.3]', async t => {
  for (const action of ['01', '02', '03', '04', '05', '06'])
    failsWith(t, out(action, '05', basic('08')), senseCodes.invalidFieldInParameterList, {
      field: { in: 'parameterList', byte: 20, bit: 3 },
    })
  const id = encodeTransportId(PORT)
  const length = (bytes: number): Buffer => list(bytes.toString(16).padStart(8, '0'))
  const with_ = (bytes: number, ...ids: Buffer[]): Buffer => Buffer.concat([basic('08'), length(bytes), ...ids])
  const registered = out('00', '00', with_(2 * id.length, id, encodeTransportId(PORT.replace(':a', ':b'))))
  t.match(registered, { kind: 'reserveOut', action: { others: [PORT, PORT.replace(':a', ':b')] } })
  t.match(out('00', '00', with_(0)), { action: { others: [] } })
  failsWith(t, out('00', '00', basic('08')), senseCodes.parameterListLengthError)
  failsWith(t, out('00', '00', with_(id.length + 1, id)), senseCodes.parameterListLengthError)
  const invalid = senseCodes.invalidFieldInParameterList
  failsWith(t, out('00', '00', with_(id.length - 1, id)), invalid, { field: { in: 'parameterList', byte: 28 } })
  failsWith(t, out('00', '00', with_(id.length + 4, id, Buffer.alloc(4))), invalid, {
    field: { in: 'parameterList', byte: 28 + id.length },
  })
  const node = list(`05000014 ${'61'.repeat(8)} ${'00'.repeat(12)}`)
  t.match(out('00', '00', with_(node.length + id.length, node, id)), {
    kind: 'reserveOut',
    action: { others: [PORT] },
    nodes: ['aaaaaaaa'],
  })
})

t.test('REGISTER AND MOVE: one port, through the port that there is [SPC-4 §6.16.4]', async t => {
  const id = encodeTransportId(PORT)
  const length = id.length.toString(16).padStart(8, '0')
  const head = (flags: string, port = '0001', bytes = length): Buffer => list(`${KEYS} 00 ${flags} ${port} ${bytes}`)
  t.same(out('07', 'ff', Buffer.concat([head('03'), id])), {
    kind: 'reserveOut',
    action: {
      name: 'move',
      key: '00000000000000aa',
      newKey: '00000000000000bb',
      unregister: true,
      persist: true,
      port: PORT,
    },
  })
  t.match(out('07', '00', Buffer.concat([head('00'), id])), { action: { unregister: false, persist: false } })
  const invalid = senseCodes.invalidFieldInParameterList
  failsWith(t, out('07', '00', Buffer.concat([head('00', '0002'), id])), invalid, {
    field: { in: 'parameterList', byte: 18 },
  })
  failsWith(t, out('07', '00', head('00', '0001', '00000000')), invalid, { field: { in: 'parameterList', byte: 24 } })
  failsWith(t, out('07', '00', head('00')), senseCodes.parameterListLengthError)
  failsWith(t, out('07', '00', Buffer.alloc(23)), senseCodes.parameterListLengthError)
})

t.test('PERSISTENT RESERVE IN asks for one of four reports [SPC-4 §6.15.1]', async t => {
  for (const [action, what] of Object.entries({
    '00': 'keys',
    '01': 'reservation',
    '02': 'capabilities',
    '03': 'fullStatus',
  }))
    t.same(send(`5e ${action} 00 00 00 00 00 0102 00`), { kind: 'reserveIn', what, allocationLength: 0x102 })
  failsWith(t, send('5e 04'), senseCodes.invalidFieldInCdb, { field: { in: 'cdb', byte: 1, bit: 4 } })
  failsWith(t, send('5f 08'), senseCodes.invalidFieldInCdb, { field: { in: 'cdb', byte: 1, bit: 4 } })
})

const state: ReservationState = {
  generation: 0x01020304,
  persistent: true,
  registrations: [
    { port: PORT, key: '00000000000000aa', allTargetPorts: false },
    { port: PORT.replace(':a', ':b'), key: '00000000000000bb', allTargetPorts: true },
  ],
  reservation: { type: 5, holder: PORT },
}
const facts = { state, canPersist: true, relativePort: 3 }
const hexOf = (what: Parameters<typeof persistentReserveInData>[0], of = facts): string =>
  persistentReserveInData(what, of).toString('hex')

t.test('the data of the reports [SPC-4 §6.15.2 - 6.15.5]', async t => {
  t.equal(hexOf('keys'), '0102030400000010' + '00000000000000aa' + '00000000000000bb')
  t.equal(hexOf('reservation'), '0102030400000010' + '00000000000000aa' + '00000000' + '00' + '05' + '0000')
  t.equal(hexOf('capabilities'), '0008' + '1d' + 'b1' + 'ea01' + '0000')
  const [one, two] = state.registrations.map(({ port }) => encodeTransportId(port)) as [Buffer, Buffer]
  const size = (id: Buffer): string => id.length.toString(16).padStart(8, '0')
  t.equal(
    hexOf('fullStatus'),
    `01020304${(48 + one.length + two.length).toString(16).padStart(8, '0')}` +
      `00000000000000aa00000000${'01'}${'05'}00000000${'0003'}${size(one)}${one.toString('hex')}` +
      `00000000000000bb00000000${'02'}${'00'}00000000${'0000'}${size(two)}${two.toString('hex')}`,
  )
  const empty = { state: NO_RESERVATIONS, canPersist: false, relativePort: 3 }
  for (const what of ['keys', 'reservation', 'fullStatus'] as const) t.equal(hexOf(what, empty), '0000000000000000')
  t.equal(hexOf('capabilities', empty), '0008' + '1c' + 'b0' + 'ea01' + '0000')
})

t.test('the key of a reservation of all registrants is zero, and all hold it [SPC-4 §5.13.6.3, §5.13.10]', async t => {
  const shared = { ...facts, state: { ...state, reservation: { type: 8, holder: undefined } } as ReservationState }
  t.equal(hexOf('reservation', shared).slice(16), '0000000000000000' + '00000000' + '00' + '08' + '0000')
  const holders = [...hexOf('fullStatus', shared).matchAll(/00000000000000(aa|bb)00000000(..)08/g)].map(
    ([, , flags]) => flags,
  )
  t.same(holders, ['01', '03'])
})

t.test('what ends a refused command [SPC-4 §5.13]', async t => {
  t.same(reservationRefused('conflict'), { kind: 'status', status: 0x18 })
  failsWith(t, reservationRefused('invalidParameter'), senseCodes.invalidFieldInParameterList)
  failsWith(t, reservationRefused('invalidScopeOrType'), senseCodes.invalidFieldInCdb, {
    field: { in: 'cdb', byte: 2, bit: 7 },
  })
  failsWith(t, reservationRefused('nothingToMove'), senseCodes.invalidFieldInCdb)
  failsWith(t, reservationRefused('invalidRelease'), senseCodes.invalidReleaseOfPersistentReservation)
  failsWith(t, reservationRefused('noResources'), senseCodes.insufficientRegistrationResources)
})
