// Vital product data pages of INQUIRY with EVPD=1 [SPC-4 §7.8, SBC-3 §6.6].
//
// A page is a page code and a function that gives its body; page 00h is made from the list, so what is listed can be read. A well known unit has no
// blocks and no serial number, so only 00h, 83h and 88h; where there is no unit, only 00h. Pages 83h and 88h are in device-identification.ts.
// What is zero here is not supported: protection information, grouping, provisioning groups and percentages.

import { bit, bits, layout, u8, u16, u32, u64 } from '@scsipub/bytes'
import type { Context, LogicalUnit } from '../logical-unit.js'
import { REPORT_LUNS_WLUN } from '../lun.js'
import {
  lengthMayBeOpen,
  MAX_UNMAP_DESCRIPTORS,
  maxUnmapBlocks,
  maxWriteSameBlocks,
  thresholdExponent,
  unmapGranularityBlocks,
} from '../provisioning-limits.js'
import { deviceIdentification, scsiPorts } from './device-identification.js'
import { atomicGranularityBlocks, maxAtomicBlocks, maxCompareAndWriteBlocks } from './exclusive-writes.js'
import { maxPrefetchBlocks } from './pre-fetch.js'
import { thirdPartyCopyPage } from './third-party-copy-page.js'

const header = layout(4, {
  peripheralQualifier: bits(0, 5, 3),
  peripheralDeviceType: bits(0, 0, 5),
  pageCode: u8(1),
  pageLength: u16(2),
})

type Body = (context: Context) => Buffer

/** A page that exists for direct-access units only. */
const ofLu =
  (body: (lu: LogicalUnit) => Buffer): Body =>
  ({ lu }) => {
    if (lu === undefined) throw new TypeError('a page of a logical unit was asked for without one')
    return body(lu)
  }

/** In ascending order, as page 00h lists them [SPC-4 §7.8.14]. */
const pages: readonly { readonly code: number; readonly of: 'all' | 'wellKnown' | 'lu'; readonly body: Body }[] = [
  { code: 0x00, of: 'all', body: context => Buffer.from(pagesOf(context).map(({ code }) => code)) },
  { code: 0x80, of: 'lu', body: ofLu(({ identity }) => Buffer.from(identity.serial, 'latin1')) },
  { code: 0x83, of: 'wellKnown', body: deviceIdentification },
  { code: 0x86, of: 'lu', body: ofLu(extendedInquiry) },
  { code: 0x87, of: 'lu', body: modePagePolicy },
  { code: 0x88, of: 'wellKnown', body: scsiPorts },
  { code: 0x8f, of: 'lu', body: ofLu(thirdPartyCopyPage) },
  { code: 0xb0, of: 'lu', body: ofLu(blockLimits) },
  { code: 0xb1, of: 'lu', body: ofLu(blockDeviceCharacteristics) },
  { code: 0xb2, of: 'lu', body: ofLu(logicalBlockProvisioning) },
]

function pagesOf({ lu, lun }: Context) {
  if (lu !== undefined) return pages
  return pages.filter(({ of }) => of === 'all' || (of === 'wellKnown' && lun === REPORT_LUNS_WLUN))
}

/** The whole page with its header, or undefined when this unit does not have it. */
export function vitalProductData(
  pageCode: number,
  context: Context,
  peripheral: { peripheralQualifier: number; peripheralDeviceType: number },
): Buffer | undefined {
  const page = pagesOf(context).find(({ code }) => code === pageCode)
  if (page === undefined) return undefined
  const body = page.body(context)
  return Buffer.concat([header.encode({ ...peripheral, pageCode, pageLength: body.length }), body])
}

// The layouts below start behind the four bytes of header, so the offsets are the standard's minus four.

const extended = layout(60, { simpSup: bit(1, 0), vSup: bit(2, 0) })

/** 86h: simple task attribute only, and a volatile cache, which is what WCE in the caching mode page is about [SPC-4 §7.8.7]. */
function extendedInquiry(): Buffer {
  return extended.encode({ simpSup: true, vSup: true })
}

const policy = layout(4, { policyPageCode: bits(0, 0, 6), policySubpageCode: u8(1), modePagePolicy: bits(2, 0, 2) })
const ALL_PAGES = { policyPageCode: 0x3f, policySubpageCode: 0xff }
const SHARED = 0b00

/** 87h: all nexuses share the values of every mode page [SPC-4 §7.8.9]. */
function modePagePolicy(): Buffer {
  return policy.encode({ ...ALL_PAGES, modePagePolicy: SHARED })
}

export const blockLimitsBody = layout(60, {
  wsnz: bit(0, 0),
  maximumCompareAndWriteLength: u8(1),
  optimalTransferLengthGranularity: u16(2),
  maximumTransferLength: u32(4),
  optimalTransferLength: u32(8),
  maximumPrefetchLength: u32(12),
  maximumUnmapLbaCount: u32(16),
  maximumUnmapBlockDescriptorCount: u32(20),
  optimalUnmapGranularity: u32(24),
  ugavalid: bit(28, 7),
  maximumWriteSameLength: u64(32),
  maximumAtomicTransferLength: u32(40),
  atomicAlignment: u32(44),
  atomicTransferLengthGranularity: u32(48),
  maximumAtomicTransferLengthWithAtomicBoundary: u32(52),
  maximumAtomicBoundarySize: u32(56),
})

/** Bytes that a transfer should be a multiple of: a page of memory on the host. */
const GRANULARITY_BYTES = 4096

/** B0h [SBC-3 §6.6.4; the atomic fields SBC-4 §6.6.4]. */
function blockLimits(lu: LogicalUnit): Buffer {
  const { blockBytes, maxTransferBlocks } = lu
  return blockLimitsBody.encode({
    wsnz: !lengthMayBeOpen(lu),
    maximumCompareAndWriteLength: maxCompareAndWriteBlocks(lu),
    maximumPrefetchLength: Math.min(maxPrefetchBlocks(lu), 0xffff_ffff),
    maximumAtomicTransferLength: maxAtomicBlocks(lu),
    atomicAlignment: atomicGranularityBlocks(lu),
    atomicTransferLengthGranularity: atomicGranularityBlocks(lu),
    optimalTransferLengthGranularity: Math.max(1, GRANULARITY_BYTES / blockBytes),
    maximumTransferLength: Math.min(maxTransferBlocks, 0xffff_ffff),
    ...(lu.thin && {
      maximumUnmapLbaCount: maxUnmapBlocks(lu),
      maximumUnmapBlockDescriptorCount: MAX_UNMAP_DESCRIPTORS,
      optimalUnmapGranularity: unmapGranularityBlocks(lu),
      ugavalid: true,
    }),
    maximumWriteSameLength: BigInt(maxWriteSameBlocks(lu)),
  })
}

const characteristics = layout(60, { mediumRotationRate: u16(0), wabereq: bits(3, 6, 2), wacereq: bits(3, 4, 2) })
const NON_ROTATING = 0x0001
/** WABEREQ and WACEREQ: what has been erased can be read before it is written again [SBC-3 §6.6.2]. */
const READABLE_AFTER_ERASE = 0b01

/** B1h [SBC-3 §6.6.2]. */
function blockDeviceCharacteristics({ thin }: LogicalUnit): Buffer {
  return characteristics.encode({
    mediumRotationRate: NON_ROTATING,
    ...(thin && { wabereq: READABLE_AFTER_ERASE, wacereq: READABLE_AFTER_ERASE }),
  })
}

const provisioning = layout(4, {
  thresholdExponent: u8(0),
  lbpu: bit(1, 7),
  lbpws: bit(1, 6),
  lbpws10: bit(1, 5),
  lbprz: bits(1, 2, 3),
  ancSup: bit(1, 1),
  provisioningType: bits(2, 0, 3),
})

/** LBPRZ: what is unmapped reads as zeros. */
const READS_AS_ZEROS = 0b001
const THIN = 0b010

/**
 * B2h: thin, by UNMAP and both WRITE SAME, with anchoring; for the exponent see there. All zero where LBPME is zero: no unmapping of any kind,
 * provisioning type not reported [SBC-3 §6.6.5].
 */
function logicalBlockProvisioning(lu: LogicalUnit): Buffer {
  if (!lu.thin) return provisioning.encode({})
  return provisioning.encode({
    thresholdExponent: thresholdExponent(lu),
    lbpu: true,
    lbpws: true,
    lbpws10: true,
    lbprz: READS_AS_ZEROS,
    ancSup: true,
    provisioningType: THIN,
  })
}
