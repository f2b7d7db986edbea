// NOP-Out: a ping of the initiator, or its answer to a ping of ours [7143 §11.18].
// The ping data is answered as it came, cut to what the initiator takes [7143 §11.18.3]; that is the session's work.
//
//      byte 0          byte 1          byte 2          byte 3
//    +---------------+---------------+---------------+---------------+
//  0 |   . I  0x00   |   1 reserved  |            reserved           |
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
export const nopOut = definePdu(Opcode.nopOut, {
  fields: {
    ...basicHeader,
    final: bit(1, 7),
    lun: bytes(8, 8),
    targetTransferTag: u32(20),
    cmdSn: u32(24),
    expStatSn: u32(28),
  },
  fixed: { final: true },
  invalid(pdu) {
    // Nobody could be answered, so it must not take a place in the command sequence either.
    if (pdu.initiatorTaskTag === RESERVED_TAG && !pdu.immediate)
      return 'a NOP-Out without task tag must be immediate [7143 §11.18.1]'
    return undefined
  },
})

export type NopOut = Decoded<typeof nopOut>
