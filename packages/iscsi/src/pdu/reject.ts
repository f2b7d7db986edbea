// Reject: a PDU could not be accepted. Its whole 48-byte header comes back as data segment [7143 §11.17].
//
//      byte 0          byte 1          byte 2          byte 3
//    +---------------+---------------+---------------+---------------+
//  0 |   . .  0x3f   |   1 reserved  |     Reason    |    reserved   |
//    +---------------+---------------+---------------+---------------+
//  4 | TotalAHSLength|               DataSegmentLength               |
//    +---------------+---------------+---------------+---------------+
//  8 |                       reserved (8 bytes)                      |
//    +---------------+---------------+---------------+---------------+
// 16 |                           0xffffffff                          |
//    +---------------+---------------+---------------+---------------+
// 20 |                            reserved                           |
//    +---------------+---------------+---------------+---------------+
// 24 |                             StatSN                            |
//    +---------------+---------------+---------------+---------------+
// 28 |                            ExpCmdSN                           |
//    +---------------+---------------+---------------+---------------+
// 32 |                            MaxCmdSN                           |
//    +---------------+---------------+---------------+---------------+
// 36 |                    DataSN/R2TSN or reserved                   |
//    +---------------+---------------+---------------+---------------+
// 40 |                       reserved (8 bytes)                      |
//    +---------------+---------------+---------------+---------------+

import type { Decoded } from '@scsipub/bytes'
import { bit, u8, u32 } from '@scsipub/bytes'
import { Opcode, RESERVED_TAG } from '../opcodes.js'
import { basicHeader, pdu as definePdu } from './pdu.js'

/** Layout, fixed bits and validity of the PDU; `invalid` gives the reason why a decoded one is refused. */
export const reject = definePdu(Opcode.reject, {
  fields: {
    ...basicHeader,
    final: bit(1, 7),
    reason: u8(2),
    statSn: u32(24),
    expCmdSn: u32(28),
    maxCmdSn: u32(32),
    dataSn: u32(36),
  },
  fixed: { final: true, initiatorTaskTag: RESERVED_TAG },
  invalid(pdu) {
    if (pdu.initiatorTaskTag !== RESERVED_TAG) return 'a reject belongs to no task [7143 §11.17]'
    if (pdu.dataSegmentLength < 48) return 'a reject without the header it rejects [7143 §11.17.4]'
    return undefined
  },
})

export type Reject = Decoded<typeof reject>
