// Command descriptor blocks as an initiator writes them, for a direct-access device [SPC-4 §6, SBC-3 §5]. Sixteen bytes each, as
// they stand in a SCSI Command PDU. Only the commands that tests send; anything else is a Buffer of the test's own.

import { bit, layout, u8, u16, u32, u64 } from '@scsipub/bytes'

const SIZE = 16

const block6 = layout(SIZE, { opcode: u8(0), logicalBlockAddress: u16(2), transferLength: u8(4) })
const block10 = layout(SIZE, {
  opcode: u8(0),
  forceUnitAccess: bit(1, 3),
  byteCheck: bit(1, 1),
  logicalBlockAddress: u32(2),
  transferLength: u16(7),
})
const block16 = layout(SIZE, {
  opcode: u8(0),
  forceUnitAccess: bit(1, 3),
  logicalBlockAddress: u64(2),
  transferLength: u32(10),
})
const inquiryCdb = layout(SIZE, { opcode: u8(0), evpd: bit(1, 0), pageCode: u8(2), allocationLength: u16(3) })
const service16 = layout(SIZE, { opcode: u8(0), serviceAction: u8(1), allocationLength: u32(10) })
const reportLunsCdb = layout(SIZE, { opcode: u8(0), selectReport: u8(2), allocationLength: u32(6) })
const senseCdb = layout(SIZE, { opcode: u8(0), pageCode: u8(2), allocationLength: u8(4) })

/** Block addresses and counts are in blocks, allocation lengths in bytes. */
export const cdb = {
  testUnitReady: (): Buffer => Buffer.alloc(SIZE),
  requestSense: (allocationLength = 252): Buffer => senseCdb.encode({ opcode: 0x03, allocationLength }),
  read6: (lba: number, blocks: number): Buffer =>
    block6.encode({ opcode: 0x08, logicalBlockAddress: lba, transferLength: blocks }),
  read10: (lba: number, blocks: number): Buffer =>
    block10.encode({ opcode: 0x28, logicalBlockAddress: lba, transferLength: blocks }),
  read16: (lba: number | bigint, blocks: number): Buffer =>
    block16.encode({ opcode: 0x88, logicalBlockAddress: BigInt(lba), transferLength: blocks }),
  write10: (lba: number, blocks: number, forceUnitAccess = false): Buffer =>
    block10.encode({ opcode: 0x2a, logicalBlockAddress: lba, transferLength: blocks, forceUnitAccess }),
  write16: (lba: number | bigint, blocks: number): Buffer =>
    block16.encode({ opcode: 0x8a, logicalBlockAddress: BigInt(lba), transferLength: blocks }),
  /** With `byteCheck` the initiator sends the blocks that are compared. */
  verify10: (lba: number, blocks: number, byteCheck = false): Buffer =>
    block10.encode({ opcode: 0x2f, logicalBlockAddress: lba, transferLength: blocks, byteCheck }),
  synchronizeCache10: (): Buffer => block10.encode({ opcode: 0x35 }),
  inquiry: (allocationLength = 255): Buffer => inquiryCdb.encode({ opcode: 0x12, allocationLength }),
  vitalProductData: (pageCode: number, allocationLength = 1024): Buffer =>
    inquiryCdb.encode({ opcode: 0x12, evpd: true, pageCode, allocationLength }),
  readCapacity10: (): Buffer => block10.encode({ opcode: 0x25 }),
  readCapacity16: (): Buffer => service16.encode({ opcode: 0x9e, serviceAction: 0x10, allocationLength: 32 }),
  reportLuns: (allocationLength = 4096): Buffer => reportLunsCdb.encode({ opcode: 0xa0, allocationLength }),
  modeSense6: (pageCode: number, allocationLength = 255): Buffer =>
    senseCdb.encode({ opcode: 0x1a, pageCode, allocationLength }),
} as const
