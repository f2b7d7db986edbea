// MODE SENSE (6) and (10) [SPC-4 §6.13, §6.14]: a header, a block descriptor unless DBD, and the mode pages.
//
//   (6)   0 MODE DATA LENGTH    1 MEDIUM TYPE  2 DEVICE-SPECIFIC  3 BLOCK DESCRIPTOR LENGTH
//   (10)  0-1 MODE DATA LENGTH  2 MEDIUM TYPE  3 DEVICE-SPECIFIC  4 LONGLBA  6-7 BLOCK DESCRIPTOR LENGTH
//
// The long block descriptor is given whenever the initiator accepts it (LLBAA), since it is the one that holds every capacity.

import { bit, bits, layout, u8, u16, u24, u32, u64 } from '@scsipub/bytes'
import { cdb } from '../cdb.js'
import type { Context, LogicalUnit } from '../logical-unit.js'
import { hasMedium } from '../logical-unit.js'
import type { Outcome } from '../outcome.js'
import { checkCondition, dataIn, invalidFieldInCdb } from '../outcome.js'
import type { FieldPointer } from '../sense.js'
import { senseCodes } from '../sense-codes.js'
import { modePages, pageControl } from './mode-pages.js'

const pageFields = { dbd: bit(1, 3), pc: bits(2, 6, 2), pageCode: bits(2, 0, 6), subpageCode: u8(3) }

export const modeSense6Cdb = cdb(6, { ...pageFields, allocationLength: u8(4) })
export const modeSense10Cdb = cdb(10, { ...pageFields, llbaa: bit(1, 4), allocationLength: u16(7) })

/** WP and DPOFUA are the device-specific parameter of direct-access units [SBC-3 §6.5.1]. */
export const header6 = layout(4, {
  modeDataLength: u8(0),
  mediumType: u8(1),
  wp: bit(2, 7),
  dpofua: bit(2, 4),
  blockDescriptorLength: u8(3),
})
export const header10 = layout(8, {
  modeDataLength: u16(0),
  mediumType: u8(2),
  wp: bit(3, 7),
  dpofua: bit(3, 4),
  longLba: bit(4, 0),
  blockDescriptorLength: u16(6),
})

/** Block descriptors of direct-access units [SBC-3 §6.5.2]. */
export const shortDescriptor = layout(8, { numberOfLogicalBlocks: u32(0), logicalBlockLength: u24(5) })
export const longDescriptor = layout(16, { numberOfLogicalBlocks: u64(0), logicalBlockLength: u32(12) })

/** MODE SENSE (6). */
export function modeSense6(cdb: Buffer, offset: number, _context: Context, lu: LogicalUnit): Outcome {
  const { get, pointer } = modeSense6Cdb
  const pages = chosenPages(lu, get, pointer, cdb, offset)
  if (!Buffer.isBuffer(pages)) return pages
  const descriptor = get.dbd(cdb, offset) ? Buffer.alloc(0) : short(lu)
  const header = header6.encode({
    // MODE DATA LENGTH does not count itself.
    modeDataLength: header6.size - 1 + descriptor.length + pages.length,
    wp: lu.readOnly,
    dpofua: true,
    blockDescriptorLength: descriptor.length,
  })
  return dataIn(Buffer.concat([header, descriptor, pages]), get.allocationLength(cdb, offset))
}

/** MODE SENSE (10). */
export function modeSense10(cdb: Buffer, offset: number, _context: Context, lu: LogicalUnit): Outcome {
  const { get, pointer } = modeSense10Cdb
  const pages = chosenPages(lu, get, pointer, cdb, offset)
  if (!Buffer.isBuffer(pages)) return pages
  const dbd = get.dbd(cdb, offset)
  const longLba = !dbd && get.llbaa(cdb, offset)
  const descriptor = dbd ? Buffer.alloc(0) : longLba ? long(lu) : short(lu)
  const header = header10.encode({
    modeDataLength: header10.size - 2 + descriptor.length + pages.length,
    wp: lu.readOnly,
    dpofua: true,
    longLba,
    blockDescriptorLength: descriptor.length,
  })
  return dataIn(Buffer.concat([header, descriptor, pages]), get.allocationLength(cdb, offset))
}

type Getters = Pick<typeof modeSense6Cdb.get, 'pc' | 'pageCode' | 'subpageCode'>

function chosenPages(
  lu: LogicalUnit,
  get: Getters,
  pointer: Readonly<Record<'pc' | 'pageCode' | 'subpageCode', FieldPointer>>,
  cdb: Buffer,
  offset: number,
): Buffer | Outcome {
  const control = get.pc(cdb, offset)
  // Nothing is ever saved [SPC-4 §6.13.5].
  if (control === pageControl.saved)
    return checkCondition(senseCodes.savingParametersNotSupported, { field: pointer.pc })
  const pages = modePages(lu, control, get.pageCode(cdb, offset), get.subpageCode(cdb, offset))
  if (pages === 'unknownPage') return invalidFieldInCdb(pointer.pageCode)
  if (pages === 'unknownSubpage') return invalidFieldInCdb(pointer.subpageCode)
  return pages
}

/** The number of blocks of a loaded medium; FFFFFFFFh where more than that [SBC-3 §6.5.2.2]. */
function short(lu: LogicalUnit): Buffer {
  return shortDescriptor.encode({
    numberOfLogicalBlocks: hasMedium(lu) ? Math.min(lu.sizeBlocks, 0xffff_ffff) : 0,
    logicalBlockLength: lu.blockBytes,
  })
}

function long(lu: LogicalUnit): Buffer {
  return longDescriptor.encode({
    numberOfLogicalBlocks: hasMedium(lu) ? BigInt(lu.sizeBlocks) : 0n,
    logicalBlockLength: lu.blockBytes,
  })
}
