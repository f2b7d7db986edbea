// Sense data: what accompanies CHECK CONDITION, and what REQUEST SENSE returns [SPC-4 §4.5].
//
//   fixed, 18 bytes [§4.5.3]                       descriptor, 8 bytes and descriptors [§4.5.2]
//   0    VALID | 70h                               0    72h
//   2    SENSE KEY                                 1    SENSE KEY
//   3-6  INFORMATION                               2-3  ASC, ASCQ
//   7    ADDITIONAL SENSE LENGTH (10)              7    ADDITIONAL SENSE LENGTH
//   12   ASC, 13 ASCQ                              8    00h 0Ah VALID 00h INFORMATION (8 bytes)
//   15   SKSV, C/D, BPV, BIT; 16-17 FIELD POINTER  then 02h 06h 0 0 SKSV C/D BPV BIT, FIELD POINTER, 0
//   8-11 COMMAND-SPECIFIC INFORMATION              then 01h 0Ah 0 0 COMMAND-SPECIFIC INFORMATION (8 bytes)
//   18   status and sense of a unit that failed    then 0Ch … status and sense of a unit that failed
//        a copy, where there is one [§5.17.7]
//
// A sense value is only what happened; the format is chosen where it is encoded (D_SENSE, DESC). Left out: deferred errors
// (nothing is answered before it is done) and the tape bits.

import { bit, bits, layout, u8, u16, u32, u64 } from '@scsipub/bytes'
import type { SenseCode } from './sense-codes.js'

/**
 * Where the fault of an ILLEGAL REQUEST is [SPC-4 §4.5.2.4.2]. `bit` is the most significant bit of the field. A fault in a segment
 * descriptor that a copy came upon is given from the first byte of that descriptor (`segment`) [SPC-4 §4.5.2.4.5].
 */
export interface FieldPointer {
  readonly in: 'cdb' | 'parameterList' | 'segment'
  readonly byte: number
  readonly bit?: number
}

/** A condition with its particulars. `information` is what the condition defines, such as an LBA or a byte offset. */
export interface Sense {
  readonly code: SenseCode
  readonly information?: bigint
  readonly field?: FieldPointer
  /** PROGRESS INDICATION in 65536ths, with NOT READY and NO SENSE [SPC-4 §4.5.2.4.4]. Not together with `field`. */
  readonly progress?: number
  /** Of a copy that ended early: the segment it was in, from 0, and what the unit that failed answered [SPC-4 §5.17.7]. */
  readonly copy?: { readonly segment: number; readonly failed?: FailedUnit }
}

/** The unit of a copy that ended a command of the copy manager with CHECK CONDITION. */
export interface FailedUnit {
  readonly unit: 'source' | 'destination'
  readonly sense: Sense
}

const senseKeySpecific = (at: number) => ({
  sksv: bit(at, 7),
  commandData: bit(at, 6),
  segmentDescriptor: bit(at, 5),
  bitPointerValid: bit(at, 3),
  bitPointer: bits(at, 0, 3),
  fieldPointer: u16(at + 1),
})

/** Fixed format [SPC-4 §4.5.3]. */
export const fixedSense = layout(18, {
  valid: bit(0, 7),
  responseCode: bits(0, 0, 7),
  senseKey: bits(2, 0, 4),
  information: u32(3),
  additionalSenseLength: u8(7),
  // The bytes of COMMAND-SPECIFIC INFORMATION as a copy uses them.
  sourceSenseOffset: u8(8),
  destinationSenseOffset: u8(9),
  segment: u16(10),
  additionalSenseCode: u8(12),
  additionalSenseCodeQualifier: u8(13),
  ...senseKeySpecific(15),
})

/** Header of the descriptor format [SPC-4 §4.5.2.1]. */
export const descriptorSense = layout(8, {
  responseCode: bits(0, 0, 7),
  senseKey: bits(1, 0, 4),
  additionalSenseCode: u8(2),
  additionalSenseCodeQualifier: u8(3),
  additionalSenseLength: u8(7),
})

/** Information descriptor [SPC-4 §4.5.2.2]. */
export const informationDescriptor = layout(12, {
  descriptorType: u8(0),
  additionalLength: u8(1),
  valid: bit(2, 7),
  information: u64(4),
})

/** Sense key specific descriptor [SPC-4 §4.5.2.4]. */
export const senseKeySpecificDescriptor = layout(8, {
  descriptorType: u8(0),
  additionalLength: u8(1),
  ...senseKeySpecific(4),
})

/** Command specific information descriptor, as a copy uses it [SPC-4 §4.5.2.3]. */
const commandSpecificDescriptor = layout(12, { descriptorType: u8(0), additionalLength: u8(1), segment: u16(10) })

/** Header of the forwarded sense data descriptor [SPC-4 §4.5.2.7]. */
const forwardedSenseDescriptor = layout(4, {
  descriptorType: u8(0),
  additionalLength: u8(1),
  senseDataSource: bits(2, 0, 4),
  forwardedStatus: u8(3),
})

const CHECK_CONDITION = 0x02
const FIXED_CURRENT = 0x70
const DESCRIPTOR_CURRENT = 0x72

/**
 * Sense data in the chosen format: 18 bytes when fixed, 8 to 28 in descriptor format, and more when a copy failed in one of its units.
 * Always a fresh buffer.
 */
export function encodeSense(sense: Sense, format: 'fixed' | 'descriptor'): Buffer {
  return format === 'fixed' ? encodeFixed(sense) : encodeDescriptor(sense)
}

function encodeFixed({ code, information, field, progress, copy }: Sense): Buffer {
  // An INFORMATION value that does not fit four bytes is not reported: VALID stays zero [SPC-4 §4.5.3].
  const reported = information !== undefined && information <= 0xffff_ffffn
  const failed = copy?.failed
  const header = fixedSense.encode({
    valid: reported,
    responseCode: FIXED_CURRENT,
    senseKey: code.key,
    information: reported ? Number(information) : 0,
    additionalSenseLength: fixedSense.size - 8 + (failed === undefined ? 0 : 1 + fixedSense.size),
    additionalSenseCode: code.asc,
    additionalSenseCodeQualifier: code.ascq,
    sourceSenseOffset: failed?.unit === 'source' ? fixedSense.size : 0,
    destinationSenseOffset: failed?.unit === 'destination' ? fixedSense.size : 0,
    segment: copy?.segment ?? 0,
    ...keySpecific(field, progress),
  })
  return failed === undefined
    ? header
    : Buffer.concat([header, Buffer.from([CHECK_CONDITION]), encodeFixed(failed.sense)])
}

function encodeDescriptor({ code, information, field, progress, copy }: Sense): Buffer {
  const descriptors: Buffer[] = []
  if (information !== undefined)
    descriptors.push(
      informationDescriptor.encode({ descriptorType: 0x00, additionalLength: 0x0a, valid: true, information }),
    )
  if (field !== undefined || progress !== undefined)
    descriptors.push(
      senseKeySpecificDescriptor.encode({
        descriptorType: 0x02,
        additionalLength: 0x06,
        ...keySpecific(field, progress),
      }),
    )
  if (copy !== undefined)
    descriptors.push(
      commandSpecificDescriptor.encode({ descriptorType: 0x01, additionalLength: 0x0a, segment: copy.segment }),
    )
  if (copy?.failed !== undefined) descriptors.push(forwarded(copy.failed))
  const header = descriptorSense.encode({
    responseCode: DESCRIPTOR_CURRENT,
    senseKey: code.key,
    additionalSenseCode: code.asc,
    additionalSenseCodeQualifier: code.ascq,
    additionalSenseLength: descriptors.reduce((sum, { length }) => sum + length, 0),
  })
  return Buffer.concat([header, ...descriptors])
}

function forwarded({ unit, sense }: FailedUnit): Buffer {
  const data = encodeDescriptor(sense)
  const header = forwardedSenseDescriptor.encode({
    descriptorType: 0x0c,
    additionalLength: data.length + 2,
    senseDataSource: unit === 'source' ? 1 : 2,
    forwardedStatus: CHECK_CONDITION,
  })
  return Buffer.concat([header, data])
}

function keySpecific(field: FieldPointer | undefined, progress: number | undefined) {
  // The indication lies where a field pointer does.
  if (field === undefined) return progress === undefined ? {} : { sksv: true, fieldPointer: progress }
  return {
    sksv: true,
    commandData: field.in === 'cdb',
    segmentDescriptor: field.in === 'segment',
    bitPointerValid: field.bit !== undefined,
    bitPointer: field.bit ?? 0,
    fieldPointer: field.byte,
  }
}
