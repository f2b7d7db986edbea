// UNMAP [SBC-3 §5.28].
//
//   0-1  UNMAP DATA LENGTH (what follows)                 then descriptors of 16 bytes:
//   2-3  UNMAP BLOCK DESCRIPTOR DATA LENGTH               0-7  UNMAP LOGICAL BLOCK ADDRESS
//   4-7  reserved                                         8-11 NUMBER OF LOGICAL BLOCKS
//
// Nothing is unmapped unless the whole list is sound. A descriptor of which a part is missing is ignored, as the standard wants it; ranges
// may overlap, in any order.

import { bit, bits, layout, u16, u32 } from '@scsipub/bytes'
import { cdb, lba64 } from '../cdb.js'
import type { BlockRange } from '../copy/copy-job.js'
import type { Context, LogicalUnit } from '../logical-unit.js'
import type { Outcome } from '../outcome.js'
import { checkCondition, good } from '../outcome.js'
import { MAX_UNMAP_DESCRIPTORS, maxUnmapBlocks } from '../provisioning-limits.js'
import { senseCodes } from '../sense-codes.js'
import { outOfRange } from './block-range.js'

export const unmapCdb = cdb(10, { anchor: bit(1, 0), groupNumber: bits(6, 0, 5), parameterListLength: u16(7) }, [
  'groupNumber',
])
export const unmapList = layout(8, { unmapDataLength: u16(0), unmapBlockDescriptorDataLength: u16(2) })
export const unmapDescriptor = layout(16, { unmapLogicalBlockAddress: lba64(0), numberOfLogicalBlocks: u32(8) })

/** UNMAP. */
export function unmap(cdb: Buffer, offset: number, _context: Context, lu: LogicalUnit): Outcome {
  const { get } = unmapCdb
  if (lu.readOnly) return checkCondition(senseCodes.writeProtected)
  const lengthBytes = get.parameterListLength(cdb, offset)
  const anchor = get.anchor(cdb, offset)
  // No list is not an error; one without room for its header is [SBC-3 §5.28.1].
  if (lengthBytes === 0) return good
  if (lengthBytes < unmapList.size) return checkCondition(senseCodes.parameterListLengthError)
  return { kind: 'parameterOut', lengthBytes, apply: data => unmapRanges(data, lengthBytes, anchor, lu) }
}

function unmapRanges(data: Buffer, lengthBytes: number, anchor: boolean, lu: LogicalUnit): Outcome {
  if (data.length < lengthBytes) return checkCondition(senseCodes.parameterListLengthError)
  const { unmapDataLength, unmapBlockDescriptorDataLength } = unmapList.get
  const named = Math.min(unmapBlockDescriptorDataLength(data, 0), unmapDataLength(data, 0) - (unmapList.size - 2))
  const count = Math.max(0, Math.floor(Math.min(named, lengthBytes - unmapList.size) / unmapDescriptor.size))
  if (count > MAX_UNMAP_DESCRIPTORS) return invalidList(2)
  const ranges: BlockRange[] = []
  let total = 0
  for (let index = 0; index < count; index++) {
    const at = unmapList.size + index * unmapDescriptor.size
    const lba = unmapDescriptor.get.unmapLogicalBlockAddress(data, at)
    const blocks = unmapDescriptor.get.numberOfLogicalBlocks(data, at)
    // The address is where `outOfRange` looks for the exact value when the descriptor is taken for a CDB that begins two bytes before it.
    const fault = outOfRange(data, at - 2, lu, lba, blocks)
    if (fault !== undefined) return fault
    total += blocks
    if (total > maxUnmapBlocks(lu)) return invalidList(at + 8)
    if (blocks > 0) ranges.push({ lba, blocks })
  }
  return { kind: 'provision', operation: { name: 'unmap', ranges, anchor } }
}

/** More than VPD page B0h allows [SBC-3 §5.28.2]. */
function invalidList(byte: number): Outcome {
  return checkCondition(senseCodes.invalidFieldInParameterList, { field: { in: 'parameterList', byte, bit: 7 } })
}
