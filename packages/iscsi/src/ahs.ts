// Additional header segments [7143 §11.2.2]: what follows the 48 bytes of a SCSI Command whose CDB is longer than 16
// bytes, or which moves data both ways. The framer only locates them; here they are read, when a session wants to.

import { layout, u8, u16 } from '@scsipub/bytes'

/** Types of additional header segments [7143 §11.2.2.1]. */
export const AhsType = { extendedCdb: 1, bidirectionalReadLength: 2 } as const

/** Length counts the bytes behind the type, without padding [7143 §11.2.2.2]. */
const ahsHeader = layout(3, { ahsLength: u16(0), ahsType: u8(2) })

/** One segment: its type code and its specific part (for both known types a reserved byte comes first in `body`). */
export interface Ahs {
  readonly type: number
  readonly body: Buffer
}

/**
 * Reads all segments out of `area`, which is the whole AHS area of one PDU (TotalAHSLength × 4 bytes).
 * Bodies are views. @returns the segments, or the reason why the area is not well formed.
 */
export function readAhs(area: Buffer): Ahs[] | string {
  const segments: Ahs[] = []
  let at = 0
  while (at < area.length) {
    if (at + 4 > area.length) return 'an additional header is cut off [7143 §11.2.2]'
    const { ahsLength, ahsType } = ahsHeader.decode(area, at)
    const end = at + 3 + ahsLength
    if (ahsLength === 0 || end > area.length) return 'an additional header is longer than their total [7143 §11.2.2.2]'
    segments.push({ type: ahsType & 0x3f, body: area.subarray(at + 3, end) })
    at = (end + 3) & ~3
  }
  return segments
}
