// Task Management Function Response [7143 §11.6].
//
//      byte 0          byte 1          byte 2          byte 3
//    +---------------+---------------+---------------+---------------+
//  0 |   . .  0x22   |   1 reserved  |    Response   |    reserved   |
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
// 36 |                      reserved (12 bytes)                      |
//    +---------------+---------------+---------------+---------------+

import type { Decoded } from '@scsipub/bytes'
import { bit, u8, u32 } from '@scsipub/bytes'
import { Opcode } from '../opcodes.js'
import { basicHeader, pdu as definePdu } from './pdu.js'

/** Layout, fixed bits and validity of the PDU; `invalid` gives the reason why a decoded one is refused. */
export const taskManagementResponse = definePdu(Opcode.taskManagementResponse, {
  fields: {
    ...basicHeader,
    final: bit(1, 7),
    response: u8(2),
    statSn: u32(24),
    expCmdSn: u32(28),
    maxCmdSn: u32(32),
  },
  fixed: { final: true },
  invalid(pdu) {
    if (pdu.totalAhsLength !== 0 || pdu.dataSegmentLength !== 0)
      return 'a task management response carries no data [7143 §11.6]'
    return undefined
  },
})

export type TaskManagementResponse = Decoded<typeof taskManagementResponse>
