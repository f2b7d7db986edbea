// Rules on sequence numbers that hold for every PDU of the full feature phase, looked at in every test, whatever it is about:
// StatSN goes up by one with each response that has a status, R2T and pings carry the next one, and neither ExpCmdSN nor
// MaxCmdSN ever moves back [7143 §4.2.2].

import { layout, snAdd, snLt, u32 } from '@scsipub/bytes'
import { BHS_SIZE, dataIn, header, Opcode, opcodeName, RESERVED_TAG } from '@scsipub/iscsi'
import type { ReceivedPdu } from './received-pdu.js'

/** At the same place in everything that a target sends [7143 §11.2.1]. */
const numbers = layout(BHS_SIZE, { statSn: u32(24), expCmdSn: u32(28), maxCmdSn: u32(32) })

export class SequenceWatch {
  /** The next StatSN, which is also what we acknowledge. */
  expStatSn: number
  /** As the target told last. */
  expCmdSn: number
  maxCmdSn: number

  /** The numbers of the last Login Response. */
  constructor(last: { statSn: number; expCmdSn: number; maxCmdSn: number }) {
    this.expStatSn = snAdd(last.statSn, 1)
    this.expCmdSn = last.expCmdSn
    this.maxCmdSn = last.maxCmdSn
  }

  /** @throws Error when the PDU breaks a rule */
  see(pdu: ReceivedPdu): void {
    const { statSn, expCmdSn, maxCmdSn } = numbers.decode(pdu.header)
    const name = opcodeName(pdu.opcode)
    const kind = statSnOf(pdu)
    if (kind !== 'none' && statSn !== this.expStatSn) {
      throw new Error(`a ${name} with StatSN ${statSn} where ${this.expStatSn} is next [7143 §4.2.2.2]`)
    }
    if (kind === 'takes') this.expStatSn = snAdd(this.expStatSn, 1)
    if (snLt(expCmdSn, this.expCmdSn)) throw new Error(`a ${name} moves ExpCmdSN back [7143 §4.2.2.1]`)
    if (snLt(maxCmdSn, this.maxCmdSn)) throw new Error(`a ${name} moves MaxCmdSN back [7143 §4.2.2.1]`)
    this.expCmdSn = expCmdSn
    this.maxCmdSn = maxCmdSn
  }
}

function statSnOf(pdu: ReceivedPdu): 'takes' | 'shows' | 'none' {
  if (pdu.opcode === Opcode.dataIn) return dataIn.get.statusPresent(pdu.header, 0) ? 'takes' : 'none'
  if (pdu.opcode === Opcode.r2t) return 'shows'
  if (pdu.opcode === Opcode.nopIn && header.get.initiatorTaskTag(pdu.header, 0) === RESERVED_TAG) return 'shows'
  return 'takes'
}
