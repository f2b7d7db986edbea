// EXTENDED COPY(LID1): the parameter list, its limits, and what is wrong with it [SPC-4 §6.5].

import t from 'tap'
import type { Outcome } from '../outcome.js'
import { senseCodes } from '../sense-codes.js'
import { dataOf, disk, failsWith, send } from '../test-fixture.js'
import type { ExtendedCopy } from './copy-job.js'
import { cscd, extendedCopyBytes, segment } from './fixtures/lists.js'

/** Sends the command with that list, in whole or only the first bytes of it. */
function copy(list: Buffer, bytes = list.length): Outcome {
  const outcome = send(`83 00 00000000 00000000 ${bytes.toString(16).padStart(8, '0')}`)
  if (outcome.kind !== 'parameterOut') return outcome
  t.equal(outcome.lengthBytes, bytes)
  return outcome.apply(list.subarray(0, bytes))
}

function jobOf(outcome: Outcome): ExtendedCopy {
  if (outcome.kind !== 'copy' || outcome.job.kind !== 'extendedCopy')
    throw new Error(`no copy: ${JSON.stringify(outcome)}`)
  return outcome.job
}

const list = extendedCopyBytes([cscd()], [segment()])
const inList = (byte: number, bit?: number) => ({
  field: { in: 'parameterList' as const, byte, ...(bit === undefined ? {} : { bit }) },
})

t.test('a list of one unit and one segment [SPC-4 §6.5.3, §6.4.5.2, §6.4.6.4]', async t => {
  const job = jobOf(copy(list))
  t.equal(job.listIdentifier, 1)
  t.equal(job.listBytes, 16 + 32 + 28)
  t.same(job.units, [
    {
      at: 16,
      nul: false,
      peripheralDeviceType: 0,
      designation: Buffer.from(`01030010${disk.identity.naa}`, 'hex'),
      blockBytes: 512,
    },
  ])
  t.same(job.segments, [
    { source: 0, destination: 0, blocks: 8, countsDestination: false, sourceLba: 0, destinationLba: 100 },
  ])
  t.equal(jobOf(copy(extendedCopyBytes([cscd()], [segment({ dc: true })]))).segments[0]?.countsDestination, true)
})

t.test('without a list identifier (LIST ID USAGE 11b) it must be zero; 01b is reserved [SPC-4 §6.5.3]', async t => {
  const header = (listIdUsage: number, listIdentifier: number) =>
    copy(extendedCopyBytes([cscd()], [segment()], { listIdUsage, listIdentifier }))
  t.equal(jobOf(header(0b11, 0)).listIdentifier, undefined)
  t.equal(jobOf(header(0b10, 9)).listIdentifier, 9)
  failsWith(t, header(0b11, 1), senseCodes.invalidFieldInParameterList, inList(0))
  failsWith(t, header(0b01, 1), senseCodes.invalidFieldInParameterList, inList(1, 4))
})

t.test('an empty list is no error; one cut short anywhere is 5/1A/00 [SPC-4 §6.5.1]', async t => {
  t.same(send('83 00'), { kind: 'status', status: 0 })
  for (let bytes = 1; bytes < list.length; bytes++) failsWith(t, copy(list, bytes), senseCodes.parameterListLengthError)
  const outcome = send(`83 00 00000000 00000000 0000004c`)
  if (outcome.kind !== 'parameterOut') throw new Error('not asked for data')
  failsWith(t, outcome.apply(list.subarray(0, 40)), senseCodes.parameterListLengthError)
  failsWith(
    t,
    copy(extendedCopyBytes([cscd()], [segment()], { segmentListLength: 29 })),
    senseCodes.parameterListLengthError,
  )
  failsWith(t, send('83 00 00000000 00000000 00ffffff'), senseCodes.parameterListLengthError)
})

t.test('descriptors that are not whole: 5/26/00 at the length of their list', async t => {
  failsWith(t, copy(extendedCopyBytes([cscd().subarray(0, 31)], [])), senseCodes.invalidFieldInParameterList, inList(2))
  failsWith(
    t,
    copy(extendedCopyBytes([cscd()], [segment().subarray(0, 27)])),
    senseCodes.invalidFieldInParameterList,
    inList(8),
  )
  failsWith(
    t,
    copy(extendedCopyBytes([cscd()], [segment({ descriptorLength: 0x14 })])),
    senseCodes.invalidFieldInParameterList,
    inList(50),
  )
})

t.test('the limits of the operating parameters are kept: 26/06, 26/08, 26/0B, 1A/00 [SPC-4 §6.20]', async t => {
  const parameters = dataOf(send('84 03 00000000 00000000 000000ff'))
  t.equal(parameters.readUInt32BE(0), parameters.length - 4)
  const units = parameters.readUInt16BE(8)
  const segments = parameters.readUInt16BE(10)
  t.equal(parameters.readUInt32BE(20), 0, 'no inline data')
  t.equal(parameters.toString('hex', 43), '0202e4', 'the descriptors that are understood')
  const many = (unitCount: number, segmentCount: number) =>
    copy(extendedCopyBytes(Array(unitCount).fill(cscd()), Array(segmentCount).fill(segment())))
  t.equal(jobOf(many(units, segments)).segments.length, segments)
  failsWith(t, many(units + 1, 1), senseCodes.tooManyTargetDescriptors)
  failsWith(t, many(1, segments + 1), senseCodes.tooManySegmentDescriptors)
  failsWith(t, many(units + 1, segments + 1), senseCodes.parameterListLengthError)
  t.equal(parameters.readUInt32BE(12), units * 32 + segments * 28)
  failsWith(
    t,
    copy(extendedCopyBytes([], [], { inlineDataLength: 4 })),
    senseCodes.inlineDataLengthExceeded,
    inList(12),
  )
})

t.test('other descriptors: 26/07 and 26/09, with the place [SPC-4 §6.4.5.1, §6.4.6.1]', async t => {
  failsWith(
    t,
    copy(extendedCopyBytes([cscd(), cscd({ typeCode: 0xe0 })], [segment()])),
    senseCodes.unsupportedTargetDescriptor,
    inList(48),
  )
  failsWith(
    t,
    copy(extendedCopyBytes([cscd()], [segment({ typeCode: 0x03 })])),
    senseCodes.unsupportedSegmentDescriptor,
    inList(48),
  )
})

t.test('a designator that is too long for its place: 26/00 [SPC-4 §6.4.5.2]', async t => {
  const one = (fields: Parameters<typeof cscd>[0]) => copy(extendedCopyBytes([cscd(fields)], [segment()]))
  failsWith(t, one({ designatorLength: 21 }), senseCodes.invalidFieldInParameterList, inList(23))
})
