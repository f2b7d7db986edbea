// SCSI Response: status, residual counts and, for CHECK CONDITION, SenseLength and sense data as data segment [7143 §11.4].
//
//      byte 0          byte 1          byte 2          byte 3
//    +---------------+---------------+---------------+---------------+
//  0 |   . .  0x21   |1 . . o u O U .|    Response   |     Status    |
//    +---------------+---------------+---------------+---------------+
//  4 | TotalAHSLength|               DataSegmentLength               |
//    +---------------+---------------+---------------+---------------+
//  8 |                       reserved (8 bytes)                      |
//    +---------------+---------------+---------------+---------------+
// 16 |                       Initiator Task Tag                      |
//    +---------------+---------------+---------------+---------------+
// 20 |                     SNACK Tag or reserved                     |
//    +---------------+---------------+---------------+---------------+
// 24 |                             StatSN                            |
//    +---------------+---------------+---------------+---------------+
// 28 |                            ExpCmdSN                           |
//    +---------------+---------------+---------------+---------------+
// 32 |                            MaxCmdSN                           |
//    +---------------+---------------+---------------+---------------+
// 36 |                     ExpDataSN or reserved                     |
//    +---------------+---------------+---------------+---------------+
// 40 |         Bidirectional Read Residual Count or reserved         |
//    +---------------+---------------+---------------+---------------+
// 44 |                   Residual Count or reserved                  |
//    +---------------+---------------+---------------+---------------+

import type { Decoded } from '@scsipub/bytes'
import { bit, u8, u32 } from '@scsipub/bytes'
import { Opcode } from '../opcodes.js'
import { basicHeader, pdu as definePdu } from './pdu.js'

/** Layout, fixed bits and validity of the PDU; `invalid` gives the reason why a decoded one is refused. */
export const scsiResponse = definePdu(Opcode.scsiResponse, {
  fields: {
    ...basicHeader,
    final: bit(1, 7),
    bidirectionalOverflow: bit(1, 4),
    bidirectionalUnderflow: bit(1, 3),
    overflow: bit(1, 2),
    underflow: bit(1, 1),
    response: u8(2),
    status: u8(3),
    snackTag: u32(20),
    statSn: u32(24),
    expCmdSn: u32(28),
    maxCmdSn: u32(32),
    expDataSn: u32(36),
    bidirectionalReadResidualCount: u32(40),
    residualCount: u32(44),
  },
  fixed: { final: true },
  invalid(pdu) {
    if (pdu.overflow && pdu.underflow) return 'overflow and underflow at once [7143 §11.4.1]'
    if (pdu.bidirectionalOverflow && pdu.bidirectionalUnderflow)
      return 'overflow and underflow of the read at once [7143 §11.4.1]'
    if (pdu.response !== 0 && (pdu.overflow || pdu.underflow))
      return 'residuals without a completed command [7143 §11.4.1]'
    return undefined
  },
})

export type ScsiResponse = Decoded<typeof scsiResponse>
