// SNACK Request: asks again for numbered PDUs, or acknowledges data [7143 §11.16].
// At ErrorRecoveryLevel 0 it is answered with Reject whatever it says; the layout is there to read it for the log.
//
//      byte 0          byte 1          byte 2          byte 3
//    +---------------+---------------+---------------+---------------+
//  0 |   . .  0x10   |  1 . . . Type |            reserved           |
//    +---------------+---------------+---------------+---------------+
//  4 | TotalAHSLength|               DataSegmentLength               |
//    +---------------+---------------+---------------+---------------+
//  8 |           Logical Unit Number (8 bytes) or reserved           |
//    +---------------+---------------+---------------+---------------+
// 16 |                       Initiator Task Tag                      |
//    +---------------+---------------+---------------+---------------+
// 20 |                Target Transfer Tag or SNACK Tag               |
//    +---------------+---------------+---------------+---------------+
// 24 |                            reserved                           |
//    +---------------+---------------+---------------+---------------+
// 28 |                           ExpStatSN                           |
//    +---------------+---------------+---------------+---------------+
// 32 |                       reserved (8 bytes)                      |
//    +---------------+---------------+---------------+---------------+
// 40 |                             BegRun                            |
//    +---------------+---------------+---------------+---------------+
// 44 |                           RunLength                           |
//    +---------------+---------------+---------------+---------------+

import type { Decoded } from '@scsipub/bytes'
import { bit, bits, bytes, u32 } from '@scsipub/bytes'
import { SnackType } from '../codes.js'
import { Opcode } from '../opcodes.js'
import { basicHeader, pdu as definePdu } from './pdu.js'

/** Layout, fixed bits and validity of the PDU; `invalid` gives the reason why a decoded one is refused. */
export const snackRequest = definePdu(Opcode.snackRequest, {
  fields: {
    ...basicHeader,
    final: bit(1, 7),
    type: bits(1, 0, 4),
    lun: bytes(8, 8),
    targetTransferTag: u32(20),
    expStatSn: u32(28),
    begRun: u32(40),
    runLength: u32(44),
  },
  fixed: { final: true },
  invalid(pdu) {
    if (pdu.type > SnackType.rDataSnack) return 'a reserved SNACK type [7143 §11.16.1]'
    return undefined
  },
})

export type SnackRequest = Decoded<typeof snackRequest>
