// Ready To Transfer: asks for a piece of write data [7143 §11.8].
// It carries the next StatSN without using it up [7143 §11.8.3].
//
//      byte 0          byte 1          byte 2          byte 3
//    +---------------+---------------+---------------+---------------+
//  0 |   . .  0x31   |   1 reserved  |            reserved           |
//    +---------------+---------------+---------------+---------------+
//  4 | TotalAHSLength|             DataSegmentLength (0)             |
//    +---------------+---------------+---------------+---------------+
//  8 |                 Logical Unit Number (8 bytes)                 |
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
// 36 |                             R2TSN                             |
//    +---------------+---------------+---------------+---------------+
// 40 |                         Buffer Offset                         |
//    +---------------+---------------+---------------+---------------+
// 44 |                  Desired Data Transfer Length                 |
//    +---------------+---------------+---------------+---------------+

import type { Decoded } from '@scsipub/bytes'
import { bit, bytes, u32 } from '@scsipub/bytes'
import { Opcode, RESERVED_TAG } from '../opcodes.js'
import { basicHeader, pdu as definePdu } from './pdu.js'

/** Layout, fixed bits and validity of the PDU; `invalid` gives the reason why a decoded one is refused. */
export const r2t = definePdu(Opcode.r2t, {
  fields: {
    ...basicHeader,
    final: bit(1, 7),
    lun: bytes(8, 8),
    targetTransferTag: u32(20),
    statSn: u32(24),
    expCmdSn: u32(28),
    maxCmdSn: u32(32),
    r2tSn: u32(36),
    bufferOffset: u32(40),
    desiredDataTransferLength: u32(44),
  },
  fixed: { final: true },
  invalid(pdu) {
    if (pdu.totalAhsLength !== 0 || pdu.dataSegmentLength !== 0) return 'an R2T carries no data [7143 §11.8.1]'
    if (pdu.desiredDataTransferLength === 0) return 'an R2T for nothing [7143 §11.8.4]'
    if (pdu.targetTransferTag === RESERVED_TAG) return 'an R2T needs a transfer tag [7143 §11.8.5]'
    return undefined
  },
})

export type R2t = Decoded<typeof r2t>
