// Text Response: our part of a text exchange. A valid TTT means that more is to come [7143 §11.11].
//
//      byte 0          byte 1          byte 2          byte 3
//    +---------------+---------------+---------------+---------------+
//  0 |   . .  0x24   |  F C reserved |            reserved           |
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
export const textResponse = definePdu(Opcode.textResponse, {
  fields: {
    ...basicHeader,
    final: bit(1, 7),
    continue: bit(1, 6),
    lun: bytes(8, 8),
    targetTransferTag: u32(20),
    statSn: u32(24),
    expCmdSn: u32(28),
    maxCmdSn: u32(32),
  },
  invalid(pdu) {
    if (pdu.final && pdu.continue) return 'F and C are both 1 [7143 §11.11.2]'
    if (pdu.final !== (pdu.targetTransferTag === RESERVED_TAG))
      return 'a transfer tag goes with F=0, and only with it [7143 §11.11.4]'
    return undefined
  },
})

export type TextResponse = Decoded<typeof textResponse>
