// SANITIZE [SBC-3 §5.24], and what a unit answers meanwhile [SBC-3 §4.11].

import t from 'tap'
import type { SanitizeState } from '../logical-unit.js'
import type { Outcome } from '../outcome.js'
import { encodeSense } from '../sense.js'
import { senseCodes } from '../sense-codes.js'
import { contextOf, dataOf, disk, failsWith, send } from '../test-fixture.js'

const overwrite = (length: number, flags = '01', context = contextOf()) =>
  send(`48 ${flags} 0000000000 ${length.toString(16).padStart(4, '0')} 00`, context)
const apply = (outcome: Outcome, list: Buffer): Outcome =>
  outcome.kind === 'parameterOut' ? outcome.apply(list) : outcome
const listOf = (first: number, pattern: Buffer): Buffer =>
  Buffer.concat([Buffer.from([first, 0, pattern.length >> 8, pattern.length & 0xff]), pattern])

t.test('BLOCK ERASE and CRYPTOGRAPHIC ERASE, with IMMED and AUSE [SBC-3 §5.24.1]', async t => {
  const operation = (kind: string, immediate: boolean, allowExit: boolean) => ({
    kind: 'provision',
    operation: { name: 'sanitize', method: { kind }, immediate, allowExit },
  })
  t.same(send('48 02'), operation('blockErase', false, false))
  t.same(send('48 82'), operation('blockErase', true, false))
  t.same(send('48 23'), operation('cryptographicErase', false, true))
  t.same(send('48 1f'), { kind: 'provision', operation: { name: 'exitSanitizeFailure' } })
  for (const action of ['02', '03', '1f'])
    failsWith(t, send(`48 ${action} 0000000000 0001 00`), senseCodes.invalidFieldInCdb, {
      field: { in: 'cdb', byte: 7, bit: 7 },
    })
  failsWith(t, send('48 04'), senseCodes.invalidFieldInCdb, { field: { in: 'cdb', byte: 1, bit: 4 } })
})

t.test(
  'OVERWRITE: the pattern fills a block; with INVERT every other pass is its inversion, the last is not [SBC-3 §5.24.2.2]',
  async t => {
    const passes = (first: number, pattern: Buffer) => {
      const outcome = apply(overwrite(4 + pattern.length, 'a1'), listOf(first, pattern))
      if (outcome.kind !== 'provision' || outcome.operation.name !== 'sanitize') throw new Error(outcome.kind)
      t.match(outcome.operation, { immediate: true, allowExit: true, method: { kind: 'overwrite' } })
      return outcome.operation.method.kind === 'overwrite' ? outcome.operation.method.passes : []
    }
    const pattern = Buffer.from('0055ff', 'hex')
    const block = Buffer.concat([...Array<Buffer>(170).fill(pattern), Buffer.from('0055', 'hex')])
    const inverted = Buffer.from(block.map(byte => byte ^ 0xff))
    t.same(passes(0x01, pattern), [block])
    t.same(passes(0x03, pattern), [block, block, block])
    t.same(passes(0x81, pattern), [block])
    t.same(passes(0x82, pattern), [inverted, block])
    t.same(passes(0x83, pattern), [block, inverted, block])
    t.equal(passes(0x1f, Buffer.alloc(512, 7)).length, 31)
  },
)

t.test('OVERWRITE: lists that are too short, too long or wrong [SBC-3 §5.24.2.2]', async t => {
  for (const length of [0, 3, 4, 517])
    failsWith(t, overwrite(length), senseCodes.invalidFieldInCdb, { field: { in: 'cdb', byte: 7, bit: 7 } })
  const wrong = (list: Buffer, byte: number, bit: number) =>
    failsWith(t, apply(overwrite(list.length), list), senseCodes.invalidFieldInParameterList, {
      field: { in: 'parameterList', byte, bit },
    })
  wrong(listOf(0x00, Buffer.alloc(4)), 0, 4) // no pass
  wrong(listOf(0x21, Buffer.alloc(4)), 0, 6) // TEST
  wrong(Buffer.from('01000000aa', 'hex'), 2, 7) // no pattern
  wrong(Buffer.from('01000002aa', 'hex'), 2, 7) // a pattern that is not there
  failsWith(t, apply(overwrite(8), Buffer.alloc(7)), senseCodes.parameterListLengthError)
})

t.test('a read-only unit: 7/27/00 for all of them; a fully provisioned one only overwrites [SBC-3 §4.18]', async t => {
  const readOnly = contextOf({ ...disk, readOnly: true })
  for (const hex of ['48 02', '48 03', '48 1f']) failsWith(t, send(hex, readOnly), senseCodes.writeProtected)
  failsWith(t, overwrite(8, '01', readOnly), senseCodes.writeProtected)
  const thick = contextOf({ ...disk, thin: false })
  for (const hex of ['48 02', '48 03']) failsWith(t, send(hex, thick), senseCodes.invalidFieldInCdb)
  t.equal(overwrite(8, '01', thick).kind, 'parameterOut')
})

const during = (sanitize: SanitizeState) => contextOf({ ...disk, sanitize })

t.test(
  'under way: 2/04/1B with the progress, but for INQUIRY, REPORT LUNS and REQUEST SENSE [SBC-3 §4.11.2]',
  async t => {
    const context = during({ state: 'inProgress', progress: 0x4000 })
    for (const hex of [
      '00',
      '25',
      '28 00 00000000 00 0001 00',
      '2a',
      '42',
      '48 02',
      '48 1f',
      '9e 12',
      '1a 00 3f',
      '4d',
      'a3 0c',
    ]) {
      const outcome = send(hex, context)
      failsWith(t, outcome, senseCodes.sanitizeInProgress)
      t.equal(outcome.kind === 'status' && outcome.sense?.progress, 0x4000)
    }
    t.equal(send('12 00 00 00 24 00', context).kind, 'dataIn')
    t.equal(send('a0 00 00 00 00 00 00 00 00 10', context).kind, 'dataIn')
    t.equal(
      dataOf(send('03 00 00 00 12 00', context)).toString('hex'),
      '70000200000000' + '0a00000000' + '041b00' + '804000',
    )
  },
)

t.test('failed: 3/31/03, and SANITIZE is carried out again [SBC-3 §4.11.4]', async t => {
  const context = during({ state: 'failed', progress: 0 })
  for (const hex of ['00', '28 00 00000000 00 0001 00', '42'])
    failsWith(t, send(hex, context), senseCodes.sanitizeFailed)
  for (const hex of ['48 02', '48 1f']) t.equal(send(hex, context).kind, 'provision')
  t.equal(dataOf(send('03 00 00 00 12 00', context))[12], 0x31)
})

t.test('a progress indication lies where a field pointer does [SPC-4 §4.5.2.4.4]', async t => {
  const sense = { code: senseCodes.sanitizeInProgress, progress: 0xfffe }
  t.equal(encodeSense(sense, 'fixed').toString('hex', 15), '80fffe')
  t.equal(encodeSense(sense, 'descriptor').toString('hex'), '7202041b' + '00000008' + '02060000' + '80fffe00')
})
