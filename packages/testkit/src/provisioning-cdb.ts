// Command descriptor blocks and parameter lists about what a unit holds, as an initiator writes them [SBC-3 §5.6, §5.24, §5.28, §5.42].

import { bit, bits, layout, u8, u16, u32, u64 } from '@scsipub/bytes'

const SIZE = 16

const unmapCdb = layout(SIZE, { opcode: u8(0), anchor: bit(1, 0), parameterListLength: u16(7) })
const writeSameFlags = { opcode: u8(0), anchor: bit(1, 4), unmap: bit(1, 3), ndob: bit(1, 0) }
const writeSame10Cdb = layout(SIZE, { ...writeSameFlags, logicalBlockAddress: u32(2), numberOfLogicalBlocks: u16(7) })
const writeSame16Cdb = layout(SIZE, { ...writeSameFlags, logicalBlockAddress: u64(2), numberOfLogicalBlocks: u32(10) })
const lbaStatusCdb = layout(SIZE, {
  opcode: u8(0),
  serviceAction: u8(1),
  startingLogicalBlockAddress: u64(2),
  allocationLength: u32(10),
})
const sanitizeCdb = layout(SIZE, {
  opcode: u8(0),
  immed: bit(1, 7),
  ause: bit(1, 5),
  serviceAction: bits(1, 0, 5),
  parameterListLength: u16(7),
})
const logSenseCdb = layout(SIZE, { opcode: u8(0), pageCode: u8(2), allocationLength: u16(7) })

export interface WriteSameFlags {
  readonly unmap?: boolean
  readonly anchor?: boolean
  readonly ndob?: boolean
}

/** Service actions of SANITIZE. */
export const sanitizeAction = { overwrite: 1, blockErase: 2, cryptographicErase: 3, exitFailureMode: 0x1f } as const

/** Addresses and counts are in blocks, lengths in bytes. */
export const provisioningCdb = {
  unmap: (parameterListLength: number, anchor = false): Buffer =>
    unmapCdb.encode({ opcode: 0x42, anchor, parameterListLength }),
  writeSame10: (lba: number, blocks: number, flags: WriteSameFlags = {}): Buffer =>
    writeSame10Cdb.encode({ opcode: 0x41, logicalBlockAddress: lba, numberOfLogicalBlocks: blocks, ...flags }),
  writeSame16: (lba: number, blocks: number, flags: WriteSameFlags = {}): Buffer =>
    writeSame16Cdb.encode({ opcode: 0x93, logicalBlockAddress: BigInt(lba), numberOfLogicalBlocks: blocks, ...flags }),
  getLbaStatus: (lba: number, allocationLength = 1024): Buffer =>
    lbaStatusCdb.encode({
      opcode: 0x9e,
      serviceAction: 0x12,
      startingLogicalBlockAddress: BigInt(lba),
      allocationLength,
    }),
  sanitize: (
    serviceAction: number,
    flags: { immed?: boolean; ause?: boolean; parameterListLength?: number } = {},
  ): Buffer => sanitizeCdb.encode({ opcode: 0x48, serviceAction, ...flags }),
  logSense: (pageCode: number): Buffer =>
    logSenseCdb.encode({ opcode: 0x4d, pageCode: 0x40 | pageCode, allocationLength: 255 }),
} as const

/** UNMAP parameter list with one descriptor a range. */
export function unmapList(ranges: readonly (readonly [lba: number, blocks: number])[]): Buffer {
  const list = Buffer.alloc(8 + 16 * ranges.length)
  list.writeUInt16BE(list.length - 2, 0)
  list.writeUInt16BE(list.length - 8, 2)
  ranges.forEach(([lba, blocks], index) => {
    list.writeBigUInt64BE(BigInt(lba), 8 + 16 * index)
    list.writeUInt32BE(blocks, 16 + 16 * index)
  })
  return list
}

/** Parameter list of SANITIZE, OVERWRITE: so many passes of a pattern. */
export function overwriteList(passes: number, pattern: Buffer): Buffer {
  return Buffer.concat([Buffer.from([passes, 0, pattern.length >> 8, pattern.length & 0xff]), pattern])
}
