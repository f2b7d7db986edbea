// Parameter lists as an initiator writes them, for the tests of this package. Not part of the public face.

import { disk } from '../test-fixture.js'
import { rangeDescriptor } from './block-ranges.js'
import { blockToBlockSegment, extendedCopyHeader, identificationCscd } from './extended-copy-list.js'
import { populateTokenHeader, writeUsingTokenHeader } from './token-lists.js'

type Fields<L extends { encode(value: never): Buffer }> = Parameters<L['encode']>[0]

/** A CSCD descriptor of the disk of the fixture. */
export function cscd(fields: Fields<typeof identificationCscd> = {}, naa = disk.identity.naa): Buffer {
  const descriptor = identificationCscd.encode({
    typeCode: 0xe4,
    designatorLength: 16,
    diskBlockLength: 512,
    ...fields,
  })
  Buffer.from('010300', 'hex').copy(descriptor, 4)
  Buffer.from(naa, 'hex').copy(descriptor, 8)
  return descriptor
}

/** A segment of 8 blocks from LBA 0 to LBA 100. */
export function segment(fields: Fields<typeof blockToBlockSegment> = {}): Buffer {
  return blockToBlockSegment.encode({
    typeCode: 0x02,
    descriptorLength: 0x18,
    blocks: 8,
    destinationLba: 100,
    ...fields,
  })
}

/** A whole list; the header tells the truth unless told otherwise. */
export function extendedCopyBytes(
  units: readonly Buffer[],
  segments: readonly Buffer[],
  fields: Fields<typeof extendedCopyHeader> = {},
): Buffer {
  const bytes = (parts: readonly Buffer[]) => parts.reduce((sum, { length }) => sum + length, 0)
  const header = extendedCopyHeader.encode({
    listIdentifier: 1,
    cscdListLength: bytes(units),
    segmentListLength: bytes(segments),
    ...fields,
  })
  return Buffer.concat([header, ...units, ...segments])
}

export function range(lba: number, blocks: number): Buffer {
  return rangeDescriptor.encode({ lba, blocks })
}

export function populateBytes(ranges: readonly Buffer[], fields: Fields<typeof populateTokenHeader> = {}): Buffer {
  const list = Buffer.concat(ranges)
  const header = populateTokenHeader.encode({ dataLength: 14 + list.length, rangesLength: list.length, ...fields })
  return Buffer.concat([header, list])
}

export function writeUsingBytes(
  token: Buffer,
  ranges: readonly Buffer[],
  fields: Fields<typeof writeUsingTokenHeader> = {},
): Buffer {
  const list = Buffer.concat(ranges)
  const header = writeUsingTokenHeader.encode({ dataLength: 534 + list.length, rangesLength: list.length, ...fields })
  token.copy(header, 16)
  return Buffer.concat([header, list])
}
