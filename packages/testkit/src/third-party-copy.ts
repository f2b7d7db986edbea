// Commands and parameter lists of third-party copy as an initiator writes them [SPC-4 §6.4, §6.5; SBC-3 §5.7, §5.22, §5.48], and what it
// makes of the answers.

import { bit, bits, bytes, layout, u8, u16, u24, u32, u64 } from '@scsipub/bytes'

const listCdb = layout(16, {
  opcode: u8(0),
  serviceAction: u8(1),
  listIdentifier: u32(6),
  parameterListLength: u32(10),
})
const receiveShortCdb = layout(16, {
  opcode: u8(0),
  serviceAction: u8(1),
  listIdentifier: u8(2),
  allocationLength: u32(10),
})
const receiveLongCdb = layout(16, {
  opcode: u8(0),
  serviceAction: u8(1),
  listIdentifier: u32(2),
  allocationLength: u32(10),
})

/** CDBs; lengths in bytes. */
export const copyCdb = {
  extendedCopy: (parameterListLength: number): Buffer => listCdb.encode({ opcode: 0x83, parameterListLength }),
  populateToken: (listIdentifier: number, parameterListLength: number): Buffer =>
    listCdb.encode({ opcode: 0x83, serviceAction: 0x10, listIdentifier, parameterListLength }),
  writeUsingToken: (listIdentifier: number, parameterListLength: number): Buffer =>
    listCdb.encode({ opcode: 0x83, serviceAction: 0x11, listIdentifier, parameterListLength }),
  copyStatus: (listIdentifier: number): Buffer =>
    receiveShortCdb.encode({ opcode: 0x84, serviceAction: 0x00, listIdentifier, allocationLength: 255 }),
  operatingParameters: (): Buffer =>
    receiveShortCdb.encode({ opcode: 0x84, serviceAction: 0x03, allocationLength: 255 }),
  failureDetails: (listIdentifier: number): Buffer =>
    receiveShortCdb.encode({ opcode: 0x84, serviceAction: 0x04, listIdentifier, allocationLength: 255 }),
  tokenInformation: (listIdentifier: number): Buffer =>
    receiveLongCdb.encode({ opcode: 0x84, serviceAction: 0x07, listIdentifier, allocationLength: 1024 }),
} as const

const copyHeader = layout(16, {
  listIdentifier: u8(0),
  listIdUsage: bits(1, 3, 2),
  unitsLength: u16(2),
  segmentsLength: u32(8),
})
const unitDescriptor = layout(32, {
  type: u8(0),
  nul: bit(1, 5),
  deviceType: bits(1, 0, 5),
  designation: bytes(4, 24),
  blockBytes: u24(29),
})
const segmentDescriptor = layout(28, {
  type: u8(0),
  dc: bit(1, 1),
  length: u16(2),
  source: u16(4),
  destination: u16(6),
  blocks: u16(10),
  sourceLba: u64(12),
  destinationLba: u64(20),
})

export interface CopySegment {
  /** Indexes into the units, or FFFFh for the unit that the command goes to. */
  readonly source?: number
  readonly destination?: number
  readonly blocks: number
  readonly countsDestination?: boolean
  readonly sourceLba: number
  readonly destinationLba: number
}

/** A parameter list of EXTENDED COPY. Units are designation descriptors of VPD page 83h. Without `listIdentifier`, none is wanted. */
export function copyList(units: readonly Buffer[], segments: readonly CopySegment[], listIdentifier?: number): Buffer {
  const unitList = units.map(designation => unitDescriptor.encode({ type: 0xe4, designation }))
  const segmentList = segments.map(({ source = 0, destination = 0, blocks, countsDestination = false, ...lbas }) =>
    segmentDescriptor.encode({
      type: 0x02,
      dc: countsDestination,
      length: 0x18,
      source,
      destination,
      blocks,
      sourceLba: BigInt(lbas.sourceLba),
      destinationLba: BigInt(lbas.destinationLba),
    }),
  )
  const header = copyHeader.encode({
    listIdentifier: listIdentifier ?? 0,
    listIdUsage: listIdentifier === undefined ? 0b11 : 0b00,
    unitsLength: units.length * unitDescriptor.size,
    segmentsLength: segments.length * segmentDescriptor.size,
  })
  return Buffer.concat([header, ...unitList, ...segmentList])
}

/** The NAA designation descriptor in the body of VPD page 83h. @throws Error when there is none */
export function naaDesignation(page: Buffer): Buffer {
  for (let at = 0; at + 4 <= page.length; at += 4 + (page[at + 3] ?? 0)) {
    const end = at + 4 + (page[at + 3] ?? 0)
    if (((page[at + 1] ?? 0) & 0x3f) === 0x03) return page.subarray(at, end)
  }
  throw new Error('no NAA designator')
}

const rangeLayout = layout(16, { lba: u64(0), blocks: u32(8) })
const populateHeader = layout(16, { dataLength: u16(0), immediate: bit(2, 0), timeoutS: u32(4), rangesLength: u16(14) })
const writeHeader = layout(536, {
  dataLength: u16(0),
  deleteToken: bit(2, 1),
  immediate: bit(2, 0),
  offsetBlocks: u64(8),
  token: bytes(16, 512),
  rangesLength: u16(534),
})

/** LBA and number of blocks. */
export type TokenRange = readonly [lba: number, blocks: number]

function rangeList(ranges: readonly TokenRange[]): Buffer {
  return Buffer.concat(ranges.map(([lba, blocks]) => rangeLayout.encode({ lba: BigInt(lba), blocks })))
}

/** A parameter list of POPULATE TOKEN. */
export function populateList(
  ranges: readonly TokenRange[],
  options: { timeoutS?: number; immediate?: boolean } = {},
): Buffer {
  const list = rangeList(ranges)
  const lengths = { dataLength: populateHeader.size - 2 + list.length, rangesLength: list.length }
  return Buffer.concat([populateHeader.encode({ ...lengths, ...options }), list])
}

/** A parameter list of WRITE USING TOKEN. */
export function writeUsingList(
  token: Buffer,
  ranges: readonly TokenRange[],
  options: { offsetBlocks?: bigint; immediate?: boolean; deleteToken?: boolean } = {},
): Buffer {
  const list = rangeList(ranges)
  const lengths = { dataLength: writeHeader.size - 2 + list.length, rangesLength: list.length }
  return Buffer.concat([writeHeader.encode({ token, ...lengths, ...options }), list])
}

/** The well known token that stands for zeros [SBC-3 §4.28.4]. */
export const ZERO_TOKEN: Buffer = layout(512, { type: u32(0), length: u16(6) }).encode({
  type: 0xffff_0001,
  length: 504,
})

const informationLayout = layout(32, {
  serviceAction: bits(4, 0, 5),
  operationStatus: bits(5, 0, 7),
  senseFieldLength: u8(13),
  senseLength: u8(14),
  transferUnits: u8(15),
  transferCount: u64(16),
})

/** What RECEIVE ROD TOKEN INFORMATION told. */
export interface TokenInformation {
  readonly serviceAction: number
  readonly operationStatus: number
  readonly transferUnits: number
  readonly transferCount: number
  readonly sense: Buffer
  readonly token: Buffer | undefined
}

/** @throws RangeError when it is shorter than it says */
export function tokenInformation(data: Buffer): TokenInformation {
  const { senseFieldLength, senseLength, transferCount, ...rest } = informationLayout.decode(data)
  const sense = data.subarray(32, 32 + senseLength)
  const tokens = 32 + senseFieldLength
  const tokenBytes = data.readUInt32BE(tokens)
  const token = tokenBytes === 0 ? undefined : data.subarray(tokens + 6, tokens + 4 + tokenBytes)
  return { ...rest, transferCount: Number(transferCount), sense, token }
}
