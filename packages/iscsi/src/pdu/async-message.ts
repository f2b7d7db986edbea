// Asynchronous Message: the target asks for a logout, says it will drop a connection, or reports a unit attention [7143 §11.9].
//
//      byte 0          byte 1          byte 2          byte 3
//    +---------------+---------------+---------------+---------------+
//  0 |   . .  0x32   |   1 reserved  |            reserved           |
//    +---------------+---------------+---------------+---------------+
//  4 | TotalAHSLength|               DataSegmentLength               |
//    +---------------+---------------+---------------+---------------+
//  8 |           Logical Unit Number (8 bytes) or reserved           |
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
// 36 |   AsyncEvent  |   AsyncVCode  |           Parameter1          |
//    +---------------+---------------+---------------+---------------+
// 40 |           Parameter2          |           Parameter3          |
//    +---------------+---------------+---------------+---------------+
// 44 |                            reserved                           |
//    +---------------+---------------+---------------+---------------+

import type { Decoded } from '@scsipub/bytes'
import { bit, bytes, u8, u16, u32 } from '@scsipub/bytes'
import { Opcode, RESERVED_TAG } from '../opcodes.js'
import { basicHeader, pdu as definePdu } from './pdu.js'

/** Layout, fixed bits and validity of the PDU; `invalid` gives the reason why a decoded one is refused. */
export const asyncMessage = definePdu(Opcode.asyncMessage, {
  fields: {
    ...basicHeader,
    final: bit(1, 7),
    lun: bytes(8, 8),
    statSn: u32(24),
    expCmdSn: u32(28),
    maxCmdSn: u32(32),
    asyncEvent: u8(36),
    asyncVCode: u8(37),
    parameter1: u16(38),
    parameter2: u16(40),
    parameter3: u16(42),
  },
  fixed: { final: true, initiatorTaskTag: RESERVED_TAG },
  invalid(pdu) {
    if (pdu.initiatorTaskTag !== RESERVED_TAG) return 'an asynchronous message belongs to no task [7143 §11.9]'
    return undefined
  },
})

export type AsyncMessage = Decoded<typeof asyncMessage>
