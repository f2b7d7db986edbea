// Task Management Function Request: abort tasks, reset units, take a task over [7143 §11.5].
//
//      byte 0          byte 1          byte 2          byte 3
//    +---------------+---------------+---------------+---------------+
//  0 |   . I  0x02   |  1  Function  |            reserved           |
//    +---------------+---------------+---------------+---------------+
//  4 | TotalAHSLength|             DataSegmentLength (0)             |
//    +---------------+---------------+---------------+---------------+
//  8 |           Logical Unit Number (8 bytes) or reserved           |
//    +---------------+---------------+---------------+---------------+
// 16 |                       Initiator Task Tag                      |
//    +---------------+---------------+---------------+---------------+
// 20 |               Referenced Task Tag or 0xffffffff               |
//    +---------------+---------------+---------------+---------------+
// 24 |                             CmdSN                             |
//    +---------------+---------------+---------------+---------------+
// 28 |                           ExpStatSN                           |
//    +---------------+---------------+---------------+---------------+
// 32 |                      RefCmdSN or reserved                     |
//    +---------------+---------------+---------------+---------------+
// 36 |                     ExpDataSN or reserved                     |
//    +---------------+---------------+---------------+---------------+
// 40 |                       reserved (8 bytes)                      |
//    +---------------+---------------+---------------+---------------+

import type { Decoded } from '@scsipub/bytes'
import { bit, bits, bytes, u32 } from '@scsipub/bytes'
import { Opcode, RESERVED_TAG } from '../opcodes.js'
import { basicHeader, pdu as definePdu } from './pdu.js'

/** Layout, fixed bits and validity of the PDU; `invalid` gives the reason why a decoded one is refused. */
export const taskManagementRequest = definePdu(Opcode.taskManagementRequest, {
  fields: {
    ...basicHeader,
    final: bit(1, 7),
    function: bits(1, 0, 7),
    lun: bytes(8, 8),
    referencedTaskTag: u32(20),
    cmdSn: u32(24),
    expStatSn: u32(28),
    refCmdSn: u32(32),
    expDataSn: u32(36),
  },
  fixed: { final: true },
  invalid(pdu) {
    if (pdu.initiatorTaskTag === RESERVED_TAG) return 'a task management function needs a task tag [7143 §11.2.1.8]'
    if (pdu.totalAhsLength !== 0 || pdu.dataSegmentLength !== 0)
      return 'a task management function carries no data [7143 §11.5.2]'
    return undefined
  },
})

export type TaskManagementRequest = Decoded<typeof taskManagementRequest>
