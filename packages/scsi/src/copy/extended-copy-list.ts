// The parameter list of EXTENDED COPY(LID1) [SPC-4 §6.5]. Everything in it that can be judged without looking for the units is judged
// here, before a byte is copied; what a segment says of its units is judged when its turn comes.
//
//   0     LIST IDENTIFIER                            16   CSCD descriptors, 32 bytes each, type E4h:
//   1     STR, LIST ID USAGE, PRIORITY                    E4h | LU ID TYPE (ignored), NUL, device type | port (ignored)
//   2-3   CSCD DESCRIPTOR LIST LENGTH                     4-27 designation descriptor | 28 PAD | 29-31 DISK BLOCK LENGTH
//   8-11  SEGMENT DESCRIPTOR LIST LENGTH             then segment descriptors, 28 bytes each, type 02h:
//   12-15 INLINE DATA LENGTH                              02h | DC, CAT | 0018h | source | destination | 10 blocks | 12 LBA | 20 LBA
//
// Segments are always processed one after the other, so STR changes nothing. Left out: other kinds of descriptors, inline and held
// data, and the filling or keeping of what does not come out even (PAD, CAT): such a segment ends the copy.

import { bit, bits, layout, u8, u16, u24, u32 } from '@scsipub/bytes'
import { lba64 } from '../cdb.js'
import type { Outcome } from '../outcome.js'
import { checkCondition } from '../outcome.js'
import type { FieldPointer } from '../sense.js'
import { senseCodes } from '../sense-codes.js'
import type { BlockSegment, CscdDescriptor } from './copy-job.js'
import { MAX_CSCD_DESCRIPTORS, MAX_DESCRIPTOR_LIST_BYTES, MAX_SEGMENT_DESCRIPTORS } from './limits.js'

export const extendedCopyHeader = layout(16, {
  listIdentifier: u8(0),
  listIdUsage: bits(1, 3, 2),
  cscdListLength: u16(2),
  segmentListLength: u32(8),
  inlineDataLength: u32(12),
})

/** Identification descriptor CSCD descriptor [SPC-4 §6.4.5.2]. The designation descriptor is bytes 4 to 27. */
export const identificationCscd = layout(32, {
  typeCode: u8(0),
  nul: bit(1, 5),
  peripheralDeviceType: bits(1, 0, 5),
  designatorLength: u8(7),
  diskBlockLength: u24(29),
})

/** Block device to block device segment descriptor [SPC-4 §6.4.6.4]. */
export const blockToBlockSegment = layout(28, {
  typeCode: u8(0),
  dc: bit(1, 1),
  descriptorLength: u16(2),
  source: u16(4),
  destination: u16(6),
  blocks: u16(10),
  sourceLba: lba64(12),
  destinationLba: lba64(20),
})

/** The descriptor type codes that are understood, ascending; what the operating parameters and VPD page 8Fh report. */
export const descriptorTypes = { blockToBlock: 0x02, identification: 0xe4 } as const

const HOLD_RESERVED = 0b01
const NO_LIST_IDENTIFIER = 0b11
const DESIGNATION_AT = 4
const MAX_DESIGNATOR_BYTES = 20
/** Of a segment descriptor, what its DESCRIPTOR LENGTH does not count. */
const SEGMENT_HEADER_BYTES = 4

const tooShort = checkCondition(senseCodes.parameterListLengthError)

function invalidAt(byte: number, bitIndex?: number): Outcome {
  return checkCondition(senseCodes.invalidFieldInParameterList, { field: at(byte, bitIndex) })
}

function at(byte: number, bitIndex?: number): FieldPointer {
  return { in: 'parameterList', byte, ...(bitIndex === undefined ? {} : { bit: bitIndex }) }
}

/** The copy that a parameter list asks for, or why it is refused. `data` is all that came, however long it should have been. */
export function extendedCopyList(data: Buffer): Outcome {
  if (data.length < extendedCopyHeader.size) return tooShort
  const header = extendedCopyHeader.decode(data)
  const { listIdUsage, cscdListLength, segmentListLength, inlineDataLength } = header
  if (listIdUsage === HOLD_RESERVED) return invalidAt(1, 4)
  if (listIdUsage === NO_LIST_IDENTIFIER && header.listIdentifier !== 0) return invalidAt(0)
  if (inlineDataLength > 0) return checkCondition(senseCodes.inlineDataLengthExceeded, { field: at(12) })
  const listBytes = cscdListLength + segmentListLength
  if (listBytes > MAX_DESCRIPTOR_LIST_BYTES || extendedCopyHeader.size + listBytes > data.length) return tooShort

  const segmentsAt = extendedCopyHeader.size + cscdListLength
  const units = cscdDescriptors(data, extendedCopyHeader.size, segmentsAt)
  if (!Array.isArray(units)) return units
  const segments = segmentDescriptors(data, segmentsAt, segmentsAt + segmentListLength)
  if (!Array.isArray(segments)) return segments
  const listIdentifier = listIdUsage === NO_LIST_IDENTIFIER ? undefined : header.listIdentifier
  return {
    kind: 'copy',
    job: { kind: 'extendedCopy', immediate: false, listIdentifier, listBytes: data.length, units, segments },
  }
}

function cscdDescriptors(data: Buffer, from: number, to: number): CscdDescriptor[] | Outcome {
  const found: CscdDescriptor[] = []
  for (let offset = from; offset < to; offset += identificationCscd.size) {
    if (found.length === MAX_CSCD_DESCRIPTORS) return checkCondition(senseCodes.tooManyTargetDescriptors)
    if (data[offset] !== descriptorTypes.identification)
      return checkCondition(senseCodes.unsupportedTargetDescriptor, { field: at(offset) })
    if (to - offset < identificationCscd.size) return invalidAt(2)
    const { designatorLength, ...unit } = identificationCscd.decode(data, offset)
    if (designatorLength > MAX_DESIGNATOR_BYTES) return invalidAt(offset + 7)
    const start = offset + DESIGNATION_AT
    found.push({
      at: offset,
      nul: unit.nul,
      peripheralDeviceType: unit.peripheralDeviceType,
      designation: Buffer.from(data.subarray(start, start + 4 + designatorLength)),
      blockBytes: unit.diskBlockLength,
    })
  }
  return found
}

function segmentDescriptors(data: Buffer, from: number, to: number): BlockSegment[] | Outcome {
  const found: BlockSegment[] = []
  for (let offset = from; offset < to; offset += blockToBlockSegment.size) {
    if (found.length === MAX_SEGMENT_DESCRIPTORS) return checkCondition(senseCodes.tooManySegmentDescriptors)
    if (data[offset] !== descriptorTypes.blockToBlock)
      return checkCondition(senseCodes.unsupportedSegmentDescriptor, { field: at(offset) })
    if (to - offset < blockToBlockSegment.size) return invalidAt(8)
    const { descriptorLength, dc, ...segment } = blockToBlockSegment.decode(data, offset)
    if (descriptorLength !== blockToBlockSegment.size - SEGMENT_HEADER_BYTES) return invalidAt(offset + 2)
    found.push({
      source: segment.source,
      destination: segment.destination,
      blocks: segment.blocks,
      countsDestination: dc,
      sourceLba: segment.sourceLba,
      destinationLba: segment.destinationLba,
    })
  }
  return found
}
