// Logout Response. It carries no data: Linux drops the connection over any [7143 §11.15].
//
//      byte 0          byte 1          byte 2          byte 3
//    +---------------+---------------+---------------+---------------+
//  0 |   . .  0x26   |   1 reserved  |    Response   |    reserved   |
//    +---------------+---------------+---------------+---------------+
//  4 | TotalAHSLength|             DataSegmentLength (0)             |
//    +---------------+---------------+---------------+---------------+
//  8 |                       reserved (8 bytes)                      |
//    +---------------+---------------+---------------+---------------+
// 16 |                       Initiator Task Tag                      |
//    +---------------+---------------+---------------+---------------+
// 20 |                            reserved                           |
//    +---------------+---------------+---------------+---------------+
// 24 |                             StatSN                            |
//    +---------------+---------------+---------------+---------------+
// 28 |                            ExpCmdSN                           |
//    +---------------+---------------+---------------+---------------+
// 32 |                            MaxCmdSN                           |
//    +---------------+---------------+---------------+---------------+
// 36 |                            reserved                           |
//    +---------------+---------------+---------------+---------------+
// 40 |           Time2Wait           |          Time2Retain          |
//    +---------------+---------------+---------------+---------------+
// 44 |                            reserved                           |
//    +---------------+---------------+---------------+---------------+

import type { Decoded } from '@scsipub/bytes'
import { bit, u8, u16, u32 } from '@scsipub/bytes'
import { Opcode } from '../opcodes.js'
import { basicHeader, pdu as definePdu } from './pdu.js'

/** Layout, fixed bits and validity of the PDU; `invalid` gives the reason why a decoded one is refused. */
export const logoutResponse = definePdu(Opcode.logoutResponse, {
  fields: {
    ...basicHeader,
    final: bit(1, 7),
    response: u8(2),
    statSn: u32(24),
    expCmdSn: u32(28),
    maxCmdSn: u32(32),
    time2Wait: u16(40),
    time2Retain: u16(42),
  },
  fixed: { final: true },
  invalid(pdu) {
    if (pdu.totalAhsLength !== 0 || pdu.dataSegmentLength !== 0)
      return 'a logout response carries no data [7143 §11.15]'
    return undefined
  },
})

export type LogoutResponse = Decoded<typeof logoutResponse>
