// NOP-In: the answer to a ping, or a ping of the target [7143 §11.19].
// A ping of ours carries a valid TTT, no data, and the next StatSN without using it up [7143 §11.19.2].
//
//      byte 0          byte 1          byte 2          byte 3
//    +---------------+---------------+---------------+---------------+
//  0 |   . .  0x20   |   1 reserved  |            reserved           |
//    +---------------+---------------+---------------+---------------+
//  4 | TotalAHSLength|               DataSegmentLength               |
//    +---------------+---------------+---------------+---------------+
//  8 |           Logical Unit Number (8 bytes) or reserved           |
//    +---------------+---------------+---------------+---------------+
// 16 |                       Initiator Task Tag                      |
//    +---------------+---------------+---------------+---------------+
// 20 |                      Target Transfer Tag                      |
//    +---------------+---------------+---------------+---------------+
// 24 |                             StatSN                            |
//    +---------------+---------------+---------------+---------------+
// 28 |                            ExpCmdSN                           |
//    +---------------+---------------+---------------+---------------+
// 32 |                            MaxCmdSN                           |
//    +---------------+---------------+---------------+---------------+
// 36 |                      reserved (12 bytes)                      |
//    +---------------+---------------+---------------+---------------+

import type { Decoded } from '@scsipub/bytes'
import { bit, bytes, u32 } from '@scsipub/bytes'
import { Opcode, RESERVED_TAG } from '../opcodes.js'
import { basicHeader, pdu as definePdu } from './pdu.js'

/** Layout, fixed bits and validity of the PDU; `invalid` gives the reason why a decoded one is refused. */
export const nopIn = definePdu(Opcode.nopIn, {
  fields: {
    ...basicHeader,
    final: bit(1, 7),
    lun: bytes(8, 8),
    targetTransferTag: u32(20),
    statSn: u32(24),
    expCmdSn: u32(28),
    maxCmdSn: u32(32),
  },
  fixed: { final: true },
  invalid(pdu) {
    const ping = pdu.initiatorTaskTag === RESERVED_TAG
    if (ping && pdu.dataSegmentLength !== 0) return 'a ping of the target has no data [7143 §11.19]'
    if (!ping && pdu.targetTransferTag !== RESERVED_TAG)
      return 'an answer to a ping has no transfer tag [7143 §11.19.1]'
    return undefined
  },
})

export type NopIn = Decoded<typeof nopIn>
