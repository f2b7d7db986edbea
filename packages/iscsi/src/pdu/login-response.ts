// Login Response: our step through the login stages, or the reason why there is none [7143 §11.13].
//
//      byte 0          byte 1          byte 2          byte 3
//    +---------------+---------------+---------------+---------------+
//  0 |   . .  0x23   |T C . . CSG NSG|  Version-max  | Version-active|
//    +---------------+---------------+---------------+---------------+
//  4 | TotalAHSLength|               DataSegmentLength               |
//    +---------------+---------------+---------------+---------------+
//  8 |                         ISID (6 bytes)                        |
//    +---------------+---------------+---------------+---------------+
// 12 |                               |              TSIH             |
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
// 36 |  Status-Class | Status-Detail |            reserved           |
//    +---------------+---------------+---------------+---------------+
// 40 |                       reserved (8 bytes)                      |
//    +---------------+---------------+---------------+---------------+

import type { Decoded } from '@scsipub/bytes'
import { bit, bits, bytes, u8, u16, u32 } from '@scsipub/bytes'
import { Opcode } from '../opcodes.js'
import { basicHeader, pdu as definePdu } from './pdu.js'

/** Layout, fixed bits and validity of the PDU; `invalid` gives the reason why a decoded one is refused. */
export const loginResponse = definePdu(Opcode.loginResponse, {
  fields: {
    ...basicHeader,
    transit: bit(1, 7),
    continue: bit(1, 6),
    csg: bits(1, 2, 2),
    nsg: bits(1, 0, 2),
    versionMax: u8(2),
    versionActive: u8(3),
    isid: bytes(8, 6),
    tsih: u16(14),
    statSn: u32(24),
    expCmdSn: u32(28),
    maxCmdSn: u32(32),
    statusClass: u8(36),
    statusDetail: u8(37),
  },
  invalid(pdu) {
    if (pdu.transit && pdu.continue) return 'T and C are both 1 [7143 §11.13.7]'
    if (pdu.statusClass === 0 && pdu.transit && (pdu.nsg === 2 || pdu.nsg <= pdu.csg)) {
      return 'the next stage does not follow the current one [7143 §11.13.6]'
    }
    return undefined
  },
})

export type LoginResponse = Decoded<typeof loginResponse>
