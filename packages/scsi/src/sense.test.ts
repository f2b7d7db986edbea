// Sense data in both formats [SPC-4 §4.5].

import t from 'tap'
import { encodeSense } from './sense.js'
import { senseCodeName, senseCodes } from './sense-codes.js'

t.test('fixed format: 18 bytes, ADDITIONAL SENSE LENGTH 10 [SPC-4 §4.5.3]', async t => {
  t.equal(
    encodeSense({ code: senseCodes.invalidCommandOperationCode }, 'fixed').toString('hex'),
    '70000500000000' + '0a' + '00000000' + '2000' + '00000000',
  )
})

t.test('fixed format: INFORMATION with VALID, unless it is wider than four bytes [SPC-4 §4.5.3]', async t => {
  const sense = (information: bigint) =>
    encodeSense({ code: senseCodes.lbaOutOfRange, information }, 'fixed').toString('hex')
  t.equal(sense(0xffff_fffen), 'f00005fffffffe0a000000002100' + '00000000')
  t.equal(sense(0x1_0000_0000n), '70000500000000' + '0a' + '00000000' + '2100' + '00000000')
})

t.test('field pointer: SKSV, C/D, BPV, bit and byte [SPC-4 §4.5.2.4.2]', async t => {
  const inCdb = encodeSense({ code: senseCodes.invalidFieldInCdb, field: { in: 'cdb', byte: 2, bit: 7 } }, 'fixed')
  t.equal(inCdb.subarray(12).toString('hex'), '2400' + '00' + 'cf0002')
  const inData = encodeSense(
    { code: senseCodes.invalidFieldInParameterList, field: { in: 'parameterList', byte: 0x123 } },
    'fixed',
  )
  t.equal(inData.subarray(12).toString('hex'), '2600' + '00' + '800123')
})

t.test('descriptor format: information and sense key specific descriptors [SPC-4 §4.5.2]', async t => {
  t.equal(encodeSense({ code: senseCodes.noSense }, 'descriptor').toString('hex'), '7200000000000000')
  t.equal(
    encodeSense({ code: senseCodes.lbaOutOfRange, information: 0x1_0000_0002n }, 'descriptor').toString('hex'),
    '720521000000000c' + '000a80000000000100000002',
  )
  t.equal(
    encodeSense({ code: senseCodes.invalidFieldInCdb, field: { in: 'cdb', byte: 1, bit: 0 } }, 'descriptor').toString(
      'hex',
    ),
    '7205240000000008' + '02060000c8000100',
  )
})

t.test(
  'a copy that ended early: segment, pointer into its descriptor, sense of the unit that failed [SPC-4 §5.17.7]',
  async t => {
    const code = senseCodes.thirdPartyDeviceFailure
    const field = { in: 'segment', byte: 6 } as const
    t.equal(
      encodeSense({ code, field, copy: { segment: 0x102 } }, 'fixed').toString('hex'),
      '70000a00000000' + '0a' + '00000102' + '0d01' + '00' + 'a00006',
      'SD says that the pointer is relative to the segment descriptor',
    )
    const failed = { unit: 'destination', sense: { code: senseCodes.spaceAllocationFailed } } as const
    const fixed = encodeSense({ code, information: 7n, copy: { segment: 3, failed } }, 'fixed')
    t.equal(fixed.toString('hex', 0, 18), 'f0000a00000007' + '1d' + '00120003' + '0d01' + '00000000')
    t.equal(fixed[18], 0x02, 'status of the destination, where byte 9 says')
    t.same(fixed.subarray(19), encodeSense(failed.sense, 'fixed'))
    const source = encodeSense({ code, copy: { segment: 3, failed: { ...failed, unit: 'source' } } }, 'fixed')
    t.equal(source.toString('hex', 8, 12), '12000003')
    t.equal(
      encodeSense({ code, copy: { segment: 3, failed } }, 'descriptor').toString('hex'),
      '720a0d0100000018' + '010a00000000000000000003' + '0c0a0202' + '7207270700000000',
    )
  },
)

t.test('every condition of the catalogue is one of a kind and fits its fields', async t => {
  const seen = new Set<string>()
  for (const code of Object.values(senseCodes)) {
    const name = senseCodeName(code).split(' ')[0]!
    t.notOk(seen.has(name), name)
    seen.add(name)
    t.equal(encodeSense({ code }, 'fixed')[12], code.asc)
  }
  t.equal(senseCodeName(senseCodes.miscompareDuringVerify), 'E/1D/00 MISCOMPARE DURING VERIFY OPERATION')
})
