// Sense data: what accompanies CHECK CONDITION, and what REQUEST SENSE returns [SPC-4 §4.5].
//
//   fixed, 18 bytes [§4.5.3]                       descriptor, 8 bytes and descriptors [§4.5.2]
//   0    VALID | 70h                               0    72h
//   2    SENSE KEY                                 1    SENSE KEY
//   3-6  INFORMATION                               2-3  ASC, ASCQ
//   7    ADDITIONAL SENSE LENGTH (10)              7    ADDITIONAL SENSE LENGTH
//   12   ASC, 13 ASCQ                              8    00h 0Ah VALID 00h INFORMATION (8 bytes)
//   15   SKSV, C/D, BPV, BIT; 16-17 FIELD POINTER  then 02h 06h 0 0 SKSV C/D BPV BIT, FIELD POINTER, 0
//
// A sense value is only what happened; the format is chosen where it is encoded (D_SENSE, DESC). Left out: deferred errors
// (nothing is answered before it is done), progress indications and the tape bits.

import { bit, bits, layout, u8, u16, u32, u64 } from '@scsipub/bytes'
import type { SenseCode } from './sense-codes.js'

/** Where the fault of an ILLEGAL REQUEST is [SPC-4 §4.5.2.4.2]. `bit` is the most significant bit of the field. */
export interface FieldPointer {
  readonly in: 'cdb' | 'parameterList'
  readonly byte: number
  readonly bit?: number
}

/** A condition with its particulars. `information` is what the condition defines, such as an LBA or a byte offset. */
export interface Sense {
  readonly code: SenseCode
  readonly information?: bigint
  readonly field?: FieldPointer
}

const senseKeySpecific = (at: number) => ({
  sksv: bit(at, 7),
  commandData: bit(at, 6),
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
  commandSpecificInformation: u32(8),
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

const FIXED_CURRENT = 0x70
const DESCRIPTOR_CURRENT = 0x72

/** Sense data in the chosen format: 18 bytes when fixed, 8 to 28 in descriptor format. Always a fresh buffer. */
export function encodeSense(sense: Sense, format: 'fixed' | 'descriptor'): Buffer {
  return format === 'fixed' ? encodeFixed(sense) : encodeDescriptor(sense)
}

function encodeFixed({ code, information, field }: Sense): Buffer {
  // An INFORMATION value that does not fit four bytes is not reported: VALID stays zero [SPC-4 §4.5.3].
  const reported = information !== undefined && information <= 0xffff_ffffn
  return fixedSense.encode({
    valid: reported,
    responseCode: FIXED_CURRENT,
    senseKey: code.key,
    information: reported ? Number(information) : 0,
    additionalSenseLength: fixedSense.size - 8,
    additionalSenseCode: code.asc,
    additionalSenseCodeQualifier: code.ascq,
    ...pointerFields(field),
  })
}

function encodeDescriptor({ code, information, field }: Sense): Buffer {
  const descriptors: Buffer[] = []
  if (information !== undefined)
    descriptors.push(
      informationDescriptor.encode({ descriptorType: 0x00, additionalLength: 0x0a, valid: true, information }),
    )
  if (field !== undefined)
    descriptors.push(
      senseKeySpecificDescriptor.encode({ descriptorType: 0x02, additionalLength: 0x06, ...pointerFields(field) }),
    )
  const header = descriptorSense.encode({
    responseCode: DESCRIPTOR_CURRENT,
    senseKey: code.key,
    additionalSenseCode: code.asc,
    additionalSenseCodeQualifier: code.ascq,
    additionalSenseLength: descriptors.reduce((sum, { length }) => sum + length, 0),
  })
  return Buffer.concat([header, ...descriptors])
}

function pointerFields(field: FieldPointer | undefined) {
  if (field === undefined) return {}
  return {
    sksv: true,
    commandData: field.in === 'cdb',
    bitPointerValid: field.bit !== undefined,
    bitPointer: field.bit ?? 0,
    fieldPointer: field.byte,
  }
}
