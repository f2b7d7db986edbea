// SCSI Data-Out: write data, asked for by an R2T (tag given) or unsolicited (tag 0xffffffff) [7143 §11.7].
// It has no CmdSN and never advances ExpCmdSN. Offset, DataSN and tag are checked against the task by the session.
//
//      byte 0          byte 1          byte 2          byte 3
//    +---------------+---------------+---------------+---------------+
//  0 |   . .  0x05   |   F reserved  |            reserved           |
//    +---------------+---------------+---------------+---------------+
//  4 | TotalAHSLength|               DataSegmentLength               |
//    +---------------+---------------+---------------+---------------+
//  8 |           Logical Unit Number (8 bytes) or reserved           |
//    +---------------+---------------+---------------+---------------+
// 16 |                       Initiator Task Tag                      |
//    +---------------+---------------+---------------+---------------+
// 20 |                      Target Transfer Tag                      |
//    +---------------+---------------+---------------+---------------+
// 24 |                            reserved                           |
//    +---------------+---------------+---------------+---------------+
// 28 |                           ExpStatSN                           |
//    +---------------+---------------+---------------+---------------+
// 32 |                            reserved                           |
//    +---------------+---------------+---------------+---------------+
// 36 |                             DataSN                            |
//    +---------------+---------------+---------------+---------------+
// 40 |                         Buffer Offset                         |
//    +---------------+---------------+---------------+---------------+
// 44 |                            reserved                           |
//    +---------------+---------------+---------------+---------------+

import type { Decoded } from '@scsipub/bytes'
import { bit, bytes, u32 } from '@scsipub/bytes'
import { Opcode, RESERVED_TAG } from '../opcodes.js'
import { basicHeader, pdu as definePdu } from './pdu.js'

/** Layout, fixed bits and validity of the PDU; `invalid` gives the reason why a decoded one is refused. */
export const dataOut = definePdu(Opcode.dataOut, {
  fields: {
    ...basicHeader,
    final: bit(1, 7),
    lun: bytes(8, 8),
    targetTransferTag: u32(20),
    expStatSn: u32(28),
    dataSn: u32(36),
    bufferOffset: u32(40),
  },
  invalid(pdu) {
    if (pdu.initiatorTaskTag === RESERVED_TAG) return 'data needs the task tag of its command [7143 §11.7]'
    if (pdu.bufferOffset + pdu.dataSegmentLength > 0xffffffff) return 'data beyond the largest transfer [7143 §11.7.6]'
    return undefined
  },
})

export type DataOut = Decoded<typeof dataOut>
