// The parameter data that tells of copies: operating parameters, and status, failure details and tokens by list identifier
// [SPC-4 §6.20, §6.21, §6.23, §6.26; SBC-3 §5.22].

import { bit, bits, layout, u8, u16, u32, u64 } from '@scsipub/bytes'
import { status } from '../status.js'
import { descriptorTypes } from './extended-copy-list.js'
import {
  MAX_CONCURRENT_COPIES,
  MAX_CSCD_DESCRIPTORS,
  MAX_DESCRIPTOR_LIST_BYTES,
  MAX_SEGMENT_DESCRIPTORS,
} from './limits.js'
import { ROD_TOKEN_BYTES } from './rod-token.js'

/** How far a copy is. `terminated`: ended by task management, so that nobody was told. */
export type CopyState = 'inForeground' | 'inBackground' | 'good' | 'failed' | 'terminated'

/** What is known of a copy. `sense`: how it failed, in fixed format. */
export interface CopyReport {
  readonly state: CopyState
  readonly serviceAction: number
  readonly segmentsProcessed: number
  readonly bytes: number
  readonly operations: number
  readonly sense: Buffer | undefined
  readonly token: Buffer | undefined
  /** Bytes in a logical block of the unit that the command was sent to. */
  readonly blockBytes: number
}

export const operatingParametersLayout = layout(44, {
  availableData: u32(0),
  snlid: bit(4, 0),
  maximumCscdDescriptorCount: u16(8),
  maximumSegmentDescriptorCount: u16(10),
  maximumDescriptorListLength: u32(12),
  maximumSegmentLength: u32(16),
  maximumInlineDataLength: u32(20),
  heldDataLimit: u32(24),
  totalConcurrentCopies: u16(34),
  maximumConcurrentCopies: u8(36),
  implementedDescriptorListLength: u8(43),
})

/** RECEIVE COPY OPERATING PARAMETERS. What is zero is unlimited (segment length) or not supported (inline and held data). */
export function operatingParameters(): Buffer {
  const codes = Buffer.from(Object.values(descriptorTypes))
  const fixed = operatingParametersLayout.encode({
    availableData: operatingParametersLayout.size + codes.length - 4,
    snlid: true,
    maximumCscdDescriptorCount: MAX_CSCD_DESCRIPTORS,
    maximumSegmentDescriptorCount: MAX_SEGMENT_DESCRIPTORS,
    maximumDescriptorListLength: MAX_DESCRIPTOR_LIST_BYTES,
    totalConcurrentCopies: MAX_CONCURRENT_COPIES,
    maximumConcurrentCopies: MAX_CONCURRENT_COPIES,
    implementedDescriptorListLength: codes.length,
  })
  return Buffer.concat([fixed, codes])
}

export const copyStatusLayout = layout(12, {
  availableData: u32(0),
  copyCommandStatus: bits(4, 0, 7),
  segmentsProcessed: u16(5),
  transferCountUnits: u8(7),
  transferCount: u32(8),
})

const COPY_STATUS: Readonly<Record<CopyState, number>> = {
  inForeground: 0x00,
  inBackground: 0x00,
  good: 0x01,
  failed: 0x02,
  terminated: 0x02,
}

/** RECEIVE COPY STATUS(LID1). The count is in bytes, or in KiB where bytes do not fit. */
export function copyStatus({ state, segmentsProcessed, bytes }: CopyReport): Buffer {
  const inKibibytes = bytes > 0xffff_ffff
  return copyStatusLayout.encode({
    availableData: copyStatusLayout.size - 4,
    copyCommandStatus: COPY_STATUS[state],
    segmentsProcessed,
    transferCountUnits: inKibibytes ? 0x01 : 0x00,
    transferCount: inKibibytes ? Math.floor(bytes / 1024) : bytes,
  })
}

export const failureDetailsLayout = layout(60, {
  availableData: u32(0),
  copyCommandStatus: u8(56),
  senseDataLength: u16(58),
})

/** RECEIVE COPY FAILURE DETAILS(LID1); of a copy that did not fail, no more than an AVAILABLE DATA of zero. */
export function failureDetails({ sense }: CopyReport): Buffer {
  if (sense === undefined) return Buffer.alloc(4)
  const fixed = failureDetailsLayout.encode({
    availableData: failureDetailsLayout.size + sense.length - 4,
    copyCommandStatus: status.checkCondition,
    senseDataLength: sense.length,
  })
  return Buffer.concat([fixed, sense])
}

export const rodTokenInformationLayout = layout(32, {
  availableData: u32(0),
  responseToServiceAction: bits(4, 0, 5),
  copyOperationStatus: bits(5, 0, 7),
  operationCounter: u16(6),
  estimatedStatusUpdateDelay: u32(8),
  completionStatus: u8(12),
  senseFieldLength: u8(13),
  senseDataLength: u8(14),
  transferCountUnits: u8(15),
  transferCount: u64(16),
})

const OPERATION_STATUS: Readonly<Record<CopyState, number>> = {
  good: 0x01,
  failed: 0x02,
  inForeground: 0x11,
  inBackground: 0x12,
  terminated: 0x60,
}
const UNITS_BLOCKS = 0xf1
/** When it pays to ask again, in milliseconds: a copy moves tens of megabytes in that time. */
const UPDATE_DELAY_MS = 100

/** RECEIVE ROD TOKEN INFORMATION: how far it is, and the token once it is there. */
export function rodTokenInformation(report: CopyReport): Buffer {
  const { state, sense = Buffer.alloc(0), token } = report
  const running = state === 'inForeground' || state === 'inBackground'
  const senseField = Buffer.alloc(Math.ceil(sense.length / 4) * 4)
  sense.copy(senseField)
  // A token descriptor is two bytes that mean nothing here, and the token.
  const descriptors = token === undefined ? Buffer.alloc(4) : Buffer.alloc(4 + 2 + ROD_TOKEN_BYTES)
  descriptors.writeUInt32BE(descriptors.length - 4, 0)
  token?.copy(descriptors, 6)
  const fixed = rodTokenInformationLayout.encode({
    availableData: rodTokenInformationLayout.size + senseField.length + descriptors.length - 4,
    responseToServiceAction: report.serviceAction,
    copyOperationStatus: OPERATION_STATUS[state],
    operationCounter: report.operations & 0xffff,
    estimatedStatusUpdateDelay: running ? UPDATE_DELAY_MS : 0,
    completionStatus: state === 'failed' ? status.checkCondition : state === 'terminated' ? status.taskAborted : 0,
    senseFieldLength: senseField.length,
    senseDataLength: sense.length,
    transferCountUnits: UNITS_BLOCKS,
    transferCount: BigInt(Math.floor(report.bytes / report.blockBytes)),
  })
  return Buffer.concat([fixed, senseField, descriptors])
}
