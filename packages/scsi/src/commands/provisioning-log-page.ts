// The Logical Block Provisioning log page, 0Ch [SBC-3 §6.4.4]: how many blocks the unit may still take, and how many it holds.

import { bits, layout, u32 } from '@scsipub/bytes'
import type { LogicalUnit } from '../logical-unit.js'
import { thresholdExponent } from '../provisioning-limits.js'
import type { LogParameter } from './log-pages.js'

export const resourceCount = layout(8, { resourceCount: u32(0), scope: bits(4, 0, 2) })

/** SCOPE: other units may use up the resource as well, for below all is one file system [SBC-3 §6.4.4.2]. */
const NOT_DEDICATED = 0b10
/** FORMAT AND LINKING 11b: binary, not a counter [SPC-4 §7.3.2.2]. */
const BINARY_LIST = 0x03

/** In sets of 2^THRESHOLD EXPONENT blocks; what is left is cut to whole sets, what is used filled up to them. */
export function provisioningParameters(lu: LogicalUnit): readonly LogParameter[] {
  const setBlocks = 2 ** thresholdExponent(lu)
  const { availableBlocks, usedBlocks } = lu.provisioning
  const parameter = (code: number, sets: number): LogParameter => ({
    code,
    control: BINARY_LIST,
    value: resourceCount.encode({ resourceCount: sets, scope: NOT_DEDICATED }),
  })
  return [
    parameter(0x0001, Math.floor(availableBlocks / setBlocks)),
    parameter(0x0002, Math.ceil(usedBlocks / setBlocks)),
  ]
}
