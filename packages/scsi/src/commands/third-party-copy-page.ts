// VPD page 8Fh, Third-Party Copy [SPC-4 §7.8.17, SBC-3 §6.6.6]: what the copy manager of a unit can do, as descriptors in ascending order of
// their types. Windows reads the first one to find out whether it may offload copies.
//
// A descriptor is its type (2 bytes), the length of what follows (2), and its body, padded to a multiple of four.

import { bit, bits, layout, u16, u32, u64 } from '@scsipub/bytes'
import { THIS_UNIT } from '../copy/copy-job.js'
import { descriptorTypes } from '../copy/extended-copy-list.js'
import {
  MAX_CONCURRENT_COPIES,
  MAX_CSCD_DESCRIPTORS,
  MAX_DESCRIPTOR_LIST_BYTES,
  MAX_RANGE_DESCRIPTORS,
  MAX_SEGMENT_DESCRIPTORS,
  MAX_TOKEN_BYTES,
  TOKEN_INACTIVITY_TIMEOUT_S,
} from '../copy/limits.js'
import { rodTypes } from '../copy/rod-token.js'
import type { LogicalUnit } from '../logical-unit.js'
import { thirdPartyCopyCommands } from './third-party-copy.js'

// The layouts below start behind type and length, so the offsets are the standard's minus four.

export const rodTokenLimits = layout(32, {
  maximumRangeDescriptors: u16(6),
  maximumInactivityTimeout: u32(8),
  defaultInactivityTimeout: u32(12),
  maximumTokenTransferSize: u64(16),
  optimalTransferCount: u64(24),
})

const parameterData = layout(28, {
  maximumCscdDescriptorCount: u16(4),
  maximumSegmentDescriptorCount: u16(6),
  maximumDescriptorListLength: u32(8),
  maximumInlineDataLength: u32(12),
})

const rodTokenFeatures = layout(44, {
  remoteTokens: bits(0, 0, 4),
  minimumTokenLifetime: u32(12),
  maximumTokenLifetime: u32(16),
  maximumTokenInactivityTimeout: u32(20),
  deviceTypeDescriptorsLength: u16(42),
})

const blockRodFeatures = layout(48, {
  descriptorLength: u16(2),
  maximumBytesInBlockRod: u64(8),
  optimalBytesInBlockRod: u64(16),
  optimalBytesToToken: u64(24),
  optimalBytesFromToken: u64(32),
})

const rodType = layout(64, { type: u32(0), tokenIn: bit(4, 1), tokenOut: bit(4, 0), preferenceIndicator: u16(6) })

const generalCopyOperations = layout(32, {
  totalConcurrentCopies: u32(0),
  maximumIdentifiedConcurrentCopies: u32(4),
  maximumSegmentLength: u32(8),
})

/** Body of the page. */
export function thirdPartyCopyPage({ blockBytes }: LogicalUnit): Buffer {
  return Buffer.concat([
    descriptor(0x0000, limits(blockBytes)),
    descriptor(0x0001, counted8(supportedCommands())),
    descriptor(
      0x0004,
      parameterData.encode({
        maximumCscdDescriptorCount: MAX_CSCD_DESCRIPTORS,
        maximumSegmentDescriptorCount: MAX_SEGMENT_DESCRIPTORS,
        maximumDescriptorListLength: MAX_DESCRIPTOR_LIST_BYTES,
      }),
    ),
    descriptor(0x0008, counted8(Buffer.from(Object.values(descriptorTypes)))),
    descriptor(0x000c, counted16(Buffer.from([THIS_UNIT >>> 8, THIS_UNIT & 0xff]))),
    descriptor(0x0106, features()),
    descriptor(0x0108, Buffer.concat([Buffer.alloc(2), counted16(supportedRodTypes())])),
    descriptor(
      0x8001,
      generalCopyOperations.encode({
        totalConcurrentCopies: MAX_CONCURRENT_COPIES,
        maximumIdentifiedConcurrentCopies: MAX_CONCURRENT_COPIES,
      }),
    ),
  ])
}

function descriptor(type: number, body: Buffer): Buffer {
  const padded = Math.ceil(body.length / 4) * 4
  const whole = Buffer.alloc(4 + padded)
  whole.writeUInt16BE(type, 0)
  whole.writeUInt16BE(padded, 2)
  body.copy(whole, 4)
  return whole
}

function counted8(list: Buffer): Buffer {
  return Buffer.concat([Buffer.from([list.length]), list])
}

function counted16(list: Buffer): Buffer {
  return Buffer.concat([Buffer.from([list.length >>> 8, list.length & 0xff]), list])
}

/** Block device ROD token limits; sizes are in blocks [SBC-3 §6.6.6.3]. */
function limits(blockBytes: number): Buffer {
  return rodTokenLimits.encode({
    maximumRangeDescriptors: MAX_RANGE_DESCRIPTORS,
    maximumInactivityTimeout: TOKEN_INACTIVITY_TIMEOUT_S,
    defaultInactivityTimeout: TOKEN_INACTIVITY_TIMEOUT_S,
    maximumTokenTransferSize: BigInt(MAX_TOKEN_BYTES / blockBytes),
    optimalTransferCount: BigInt(MAX_TOKEN_BYTES / blockBytes),
  })
}

/** By operation code: the number of service actions, and these. */
function supportedCommands(): Buffer {
  const lists = Object.entries(thirdPartyCopyCommands).map(([opcode, { serviceActions }]) => {
    const actions = Object.keys(serviceActions).map(Number)
    return Buffer.from([Number(opcode), actions.length, ...actions])
  })
  return Buffer.concat(lists)
}

/** Tokens are of use only where they were made, and there is no lifetime beyond the inactivity timeout. */
function features(): Buffer {
  const block = blockRodFeatures.encode({
    descriptorLength: blockRodFeatures.size - 4,
    maximumBytesInBlockRod: BigInt(MAX_TOKEN_BYTES),
    optimalBytesInBlockRod: BigInt(MAX_TOKEN_BYTES),
    optimalBytesToToken: BigInt(MAX_TOKEN_BYTES),
    optimalBytesFromToken: BigInt(MAX_TOKEN_BYTES),
  })
  const fixed = rodTokenFeatures.encode({
    maximumTokenInactivityTimeout: TOKEN_INACTIVITY_TIMEOUT_S,
    deviceTypeDescriptorsLength: block.length,
  })
  return Buffer.concat([fixed, block])
}

/** We give out point in time copies and take them back; zeros we take only. */
function supportedRodTypes(): Buffer {
  return Buffer.concat([
    rodType.encode({ type: rodTypes.pointInTimeCopy, tokenIn: true, tokenOut: true }),
    rodType.encode({ type: rodTypes.blockDeviceZero, tokenIn: true }),
  ])
}
