// Logout Request: close the session, close one connection, or remove one for recovery [7143 §11.14].
//
//      byte 0          byte 1          byte 2          byte 3
//    +---------------+---------------+---------------+---------------+
//  0 |   . I  0x06   | 1  Reason Code|            reserved           |
//    +---------------+---------------+---------------+---------------+
//  4 | TotalAHSLength|             DataSegmentLength (0)             |
//    +---------------+---------------+---------------+---------------+
//  8 |                       reserved (8 bytes)                      |
//    +---------------+---------------+---------------+---------------+
// 16 |                       Initiator Task Tag                      |
//    +---------------+---------------+---------------+---------------+
// 20 |        CID or reserved        |            reserved           |
//    +---------------+---------------+---------------+---------------+
// 24 |                             CmdSN                             |
//    +---------------+---------------+---------------+---------------+
// 28 |                           ExpStatSN                           |
//    +---------------+---------------+---------------+---------------+
// 32 |                      reserved (16 bytes)                      |
//    +---------------+---------------+---------------+---------------+

import type { Decoded } from '@scsipub/bytes'
import { bit, bits, u16, u32 } from '@scsipub/bytes'
import { LogoutReason } from '../codes.js'
import { Opcode, RESERVED_TAG } from '../opcodes.js'
import { basicHeader, pdu as definePdu } from './pdu.js'

/** Layout, fixed bits and validity of the PDU; `invalid` gives the reason why a decoded one is refused. */
export const logoutRequest = definePdu(Opcode.logoutRequest, {
  fields: {
    ...basicHeader,
    final: bit(1, 7),
    reasonCode: bits(1, 0, 7),
    cid: u16(20),
    cmdSn: u32(24),
    expStatSn: u32(28),
  },
  fixed: { final: true },
  invalid(pdu) {
    if (pdu.initiatorTaskTag === RESERVED_TAG) return 'a logout needs a task tag [7143 §11.14]'
    if (pdu.totalAhsLength !== 0 || pdu.dataSegmentLength !== 0) return 'a logout carries no data [7143 §11.14.2]'
    if (pdu.reasonCode > LogoutReason.removeForRecovery) return 'a reserved logout reason [7143 §11.14.1]'
    return undefined
  },
})

export type LogoutRequest = Decoded<typeof logoutRequest>
