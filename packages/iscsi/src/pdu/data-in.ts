// SCSI Data-In: read data, and in its last PDU perhaps the status of the command too (S bit) [7143 §11.7].
// StatSN, Status and Residual Count mean something only with S set, yet iPXE reads StatSN everywhere: fill it always.
//
//      byte 0          byte 1          byte 2          byte 3
//    +---------------+---------------+---------------+---------------+
//  0 |   . .  0x25   |F A . . . O U S|    reserved   |     Status    |
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
// 36 |                             DataSN                            |
//    +---------------+---------------+---------------+---------------+
// 40 |                         Buffer Offset                         |
//    +---------------+---------------+---------------+---------------+
// 44 |                         Residual Count                        |
//    +---------------+---------------+---------------+---------------+

import type { Decoded } from '@scsipub/bytes'
import { bit, bytes, u8, u32 } from '@scsipub/bytes'
import { Opcode } from '../opcodes.js'
import { basicHeader, pdu as definePdu } from './pdu.js'

/** Layout, fixed bits and validity of the PDU; `invalid` gives the reason why a decoded one is refused. */
export const dataIn = definePdu(Opcode.dataIn, {
  fields: {
    ...basicHeader,
    final: bit(1, 7),
    acknowledge: bit(1, 6),
    overflow: bit(1, 2),
    underflow: bit(1, 1),
    statusPresent: bit(1, 0),
    status: u8(3),
    lun: bytes(8, 8),
    targetTransferTag: u32(20),
    statSn: u32(24),
    expCmdSn: u32(28),
    maxCmdSn: u32(32),
    dataSn: u32(36),
    bufferOffset: u32(40),
    residualCount: u32(44),
  },
  invalid(pdu) {
    if (pdu.statusPresent && !pdu.final) return 'S without F [7143 §11.7.3]'
    if (pdu.overflow && pdu.underflow) return 'overflow and underflow at once [7143 §11.7.3]'
    if (!pdu.statusPresent && (pdu.overflow || pdu.underflow)) return 'residuals without S [7143 §11.7.3]'
    return undefined
  },
})

export type DataIn = Decoded<typeof dataIn>
