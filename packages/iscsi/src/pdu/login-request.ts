// Login Request: one step of the initiator through the login stages [7143 §11.12].
// Whether the step is legal where the login stands is judged by login.ts; here is only what is wrong by itself.
//
//      byte 0          byte 1          byte 2          byte 3
//    +---------------+---------------+---------------+---------------+
//  0 |   . 1  0x03   |T C . . CSG NSG|  Version-max  |  Version-min  |
//    +---------------+---------------+---------------+---------------+
//  4 | TotalAHSLength|               DataSegmentLength               |
//    +---------------+---------------+---------------+---------------+
//  8 |                         ISID (6 bytes)                        |
//    +---------------+---------------+---------------+---------------+
// 12 |                               |              TSIH             |
//    +---------------+---------------+---------------+---------------+
// 16 |                       Initiator Task Tag                      |
//    +---------------+---------------+---------------+---------------+
// 20 |              CID              |            reserved           |
//    +---------------+---------------+---------------+---------------+
// 24 |                             CmdSN                             |
//    +---------------+---------------+---------------+---------------+
// 28 |                           ExpStatSN                           |
//    +---------------+---------------+---------------+---------------+
// 32 |                      reserved (16 bytes)                      |
//    +---------------+---------------+---------------+---------------+

import type { Decoded } from '@scsipub/bytes'
import { bit, bits, bytes, u8, u16, u32 } from '@scsipub/bytes'
import { Opcode } from '../opcodes.js'
import { basicHeader, pdu as definePdu } from './pdu.js'

/** Layout, fixed bits and validity of the PDU; `invalid` gives the reason why a decoded one is refused. */
export const loginRequest = definePdu(Opcode.loginRequest, {
  fields: {
    ...basicHeader,
    transit: bit(1, 7),
    continue: bit(1, 6),
    csg: bits(1, 2, 2),
    nsg: bits(1, 0, 2),
    versionMax: u8(2),
    versionMin: u8(3),
    isid: bytes(8, 6),
    tsih: u16(14),
    cid: u16(20),
    cmdSn: u32(24),
    expStatSn: u32(28),
  },
  fixed: { immediate: true },
  invalid(pdu) {
    if (!pdu.immediate) return 'a login request is always immediate [7143 §11.12]'
    if (pdu.transit && pdu.continue) return 'T and C are both 1 [7143 §11.12.2]'
    if (pdu.csg === 2 || pdu.csg === 3) return 'there is no current stage 2 or 3 [7143 §11.12.3]'
    // NSG means something only together with T; initiators leave anything in it otherwise.
    if (pdu.transit && (pdu.nsg === 2 || pdu.nsg <= pdu.csg))
      return 'the next stage does not follow the current one [7143 §11.12.3]'
    return undefined
  },
})

export type LoginRequest = Decoded<typeof loginRequest>
