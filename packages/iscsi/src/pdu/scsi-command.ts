// SCSI Command: a CDB, its task attribute, and how much data is to move which way [7143 §11.3].
// A CDB longer than 16 bytes and the read length of a bidirectional command travel in additional header segments (ahs.ts).
//
//      byte 0          byte 1          byte 2          byte 3
//    +---------------+---------------+---------------+---------------+
//  0 |   . I  0x01   | F R W . . ATTR|            reserved           |
//    +---------------+---------------+---------------+---------------+
//  4 | TotalAHSLength|               DataSegmentLength               |
//    +---------------+---------------+---------------+---------------+
//  8 |                 Logical Unit Number (8 bytes)                 |
//    +---------------+---------------+---------------+---------------+
// 16 |                       Initiator Task Tag                      |
//    +---------------+---------------+---------------+---------------+
// 20 |                 Expected Data Transfer Length                 |
//    +---------------+---------------+---------------+---------------+
// 24 |                             CmdSN                             |
//    +---------------+---------------+---------------+---------------+
// 28 |                           ExpStatSN                           |
//    +---------------+---------------+---------------+---------------+
// 32 |                         CDB (16 bytes)                        |
//    +---------------+---------------+---------------+---------------+

import type { Decoded } from '@scsipub/bytes'
import { bit, bits, bytes, u32 } from '@scsipub/bytes'
import { TaskAttribute } from '../codes.js'
import { Opcode, RESERVED_TAG } from '../opcodes.js'
import { basicHeader, pdu as definePdu } from './pdu.js'

/** Layout, fixed bits and validity of the PDU; `invalid` gives the reason why a decoded one is refused. */
export const scsiCommand = definePdu(Opcode.scsiCommand, {
  fields: {
    ...basicHeader,
    final: bit(1, 7),
    read: bit(1, 6),
    write: bit(1, 5),
    attr: bits(1, 0, 3),
    lun: bytes(8, 8),
    expectedDataTransferLength: u32(20),
    cmdSn: u32(24),
    expStatSn: u32(28),
    cdb: bytes(32, 16),
  },
  invalid(pdu) {
    if (pdu.initiatorTaskTag === RESERVED_TAG) return 'a command needs a task tag [7143 §11.2.1.8]'
    if (!pdu.final && !pdu.write) return 'F and W are both 0 [7143 §11.3.1]'
    if (!pdu.read && !pdu.write && pdu.expectedDataTransferLength !== 0)
      return 'a transfer length without R or W [7143 §11.3.1]'
    if (pdu.attr > TaskAttribute.aca) return 'a reserved task attribute [7143 §11.3.1]'
    if (!pdu.write && pdu.dataSegmentLength !== 0) return 'immediate data without W [7143 §11.3.6]'
    if (pdu.dataSegmentLength > pdu.expectedDataTransferLength)
      return 'more immediate data than the transfer length [7143 §11.3.4]'
    return undefined
  },
})

export type ScsiCommand = Decoded<typeof scsiCommand>
