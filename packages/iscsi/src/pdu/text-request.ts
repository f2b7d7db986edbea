// Text Request: key=value text in full feature phase, SendTargets above all [7143 §11.10].
//
//      byte 0          byte 1          byte 2          byte 3
//    +---------------+---------------+---------------+---------------+
//  0 |   . I  0x04   |  F C reserved |            reserved           |
//    +---------------+---------------+---------------+---------------+
//  4 | TotalAHSLength|               DataSegmentLength               |
//    +---------------+---------------+---------------+---------------+
//  8 |           Logical Unit Number (8 bytes) or reserved           |
//    +---------------+---------------+---------------+---------------+
// 16 |                       Initiator Task Tag                      |
//    +---------------+---------------+---------------+---------------+
// 20 |                      Target Transfer Tag                      |
//    +---------------+---------------+---------------+---------------+
// 24 |                             CmdSN                             |
//    +---------------+---------------+---------------+---------------+
// 28 |                           ExpStatSN                           |
//    +---------------+---------------+---------------+---------------+
// 32 |                      reserved (16 bytes)                      |
//    +---------------+---------------+---------------+---------------+

import type { Decoded } from '@scsipub/bytes'
import { bit, bytes, u32 } from '@scsipub/bytes'
import { Opcode, RESERVED_TAG } from '../opcodes.js'
import { basicHeader, pdu as definePdu } from './pdu.js'

/** Layout, fixed bits and validity of the PDU; `invalid` gives the reason why a decoded one is refused. */
export const textRequest = definePdu(Opcode.textRequest, {
  fields: {
    ...basicHeader,
    final: bit(1, 7),
    continue: bit(1, 6),
    lun: bytes(8, 8),
    targetTransferTag: u32(20),
    cmdSn: u32(24),
    expStatSn: u32(28),
  },
  invalid(pdu) {
    if (pdu.initiatorTaskTag === RESERVED_TAG) return 'a text request needs a task tag [7143 §11.10.3]'
    if (pdu.final && pdu.continue) return 'F and C are both 1 [7143 §11.10.2]'
    return undefined
  },
})

export type TextRequest = Decoded<typeof textRequest>
