// INQUIRY [SPC-4 §6.6]: standard data here, vital product data in vital-product-data.ts. Answered whatever else is wrong: unit
// attentions stay pending, and where there is no logical unit the qualifier says so.

import { bit, bits, bytes, layout, u8, u16 } from '@scsipub/bytes'
import { cdb } from '../cdb.js'
import type { Context } from '../logical-unit.js'
import { REPORT_LUNS_WLUN } from '../lun.js'
import type { Outcome } from '../outcome.js'
import { dataIn, invalidFieldInCdb } from '../outcome.js'
import { ascii, REVISION, VENDOR } from './vendor.js'
import { vitalProductData } from './vital-product-data.js'

/** Bit 1 of byte 1 (CMDDT) is obsolete and refused: it would ask for something else. */
export const inquiryCdb = cdb(6, { evpd: bit(1, 0), pageCode: u8(2), allocationLength: u16(3) })

/** The first 74 of the 96 bytes are given a meaning by the standard [SPC-4 §6.6.2]. */
export const standardInquiry = layout(96, {
  peripheralQualifier: bits(0, 5, 3),
  peripheralDeviceType: bits(0, 0, 5),
  rmb: bit(1, 7),
  version: u8(2),
  normAca: bit(3, 5),
  hiSup: bit(3, 4),
  responseDataFormat: bits(3, 0, 4),
  additionalLength: u8(4),
  tpgs: bits(5, 4, 2),
  thirdPartyCopy: bit(5, 3),
  cmdQue: bit(7, 1),
  t10VendorIdentification: bytes(8, 8),
  productIdentification: bytes(16, 16),
  productRevisionLevel: bytes(32, 4),
  versionDescriptor1: u16(58),
  versionDescriptor2: u16(60),
  versionDescriptor3: u16(62),
  versionDescriptor4: u16(64),
})

/** Version descriptors without a claim to a certain revision [SPC-4 §6.6.2, table of version descriptors]. */
const versions = { sam5: 0x00a0, iscsi: 0x0960, spc4: 0x0460, sbc3: 0x04c0 }

/** Peripheral qualifier and device type of what is behind this LUN [SPC-4 §6.6.2]. */
export function peripheral({ lu, lun }: Context): { peripheralQualifier: number; peripheralDeviceType: number } {
  if (lu !== undefined) return { peripheralQualifier: 0b000, peripheralDeviceType: 0x00 }
  if (lun === REPORT_LUNS_WLUN) return { peripheralQualifier: 0b000, peripheralDeviceType: 0x1e }
  return { peripheralQualifier: 0b011, peripheralDeviceType: 0x1f }
}

/** Standard data, or the VPD page asked for. */
export function inquiry(cdb: Buffer, offset: number, context: Context): Outcome {
  const { get, pointer } = inquiryCdb
  const pageCode = get.pageCode(cdb, offset)
  const allocationLength = get.allocationLength(cdb, offset)
  if (get.evpd(cdb, offset)) {
    const page = vitalProductData(pageCode, context, peripheral(context))
    return page === undefined ? invalidFieldInCdb(pointer.pageCode) : dataIn(page, allocationLength)
  }
  // A page code without EVPD is an error [SPC-4 §6.6.1].
  if (pageCode !== 0) return invalidFieldInCdb(pointer.pageCode)
  return dataIn(standardData(context), allocationLength)
}

function standardData(context: Context): Buffer {
  const { lu } = context
  return standardInquiry.encode({
    ...peripheral(context),
    rmb: lu?.removable ?? false,
    version: 0x06,
    hiSup: true,
    responseDataFormat: 2,
    additionalLength: standardInquiry.size - 5,
    // REPORT and SET TARGET PORT GROUPS are there.
    tpgs: lu === undefined ? 0b00 : 0b11,
    thirdPartyCopy: lu !== undefined,
    cmdQue: true,
    t10VendorIdentification: ascii(VENDOR, 8),
    productIdentification: ascii(lu?.product ?? '', 16),
    productRevisionLevel: ascii(REVISION, 4),
    versionDescriptor1: versions.sam5,
    versionDescriptor2: versions.iscsi,
    versionDescriptor3: versions.spc4,
    versionDescriptor4: lu === undefined ? 0 : versions.sbc3,
  })
}
