// Puts one PDU together for sending: header, header digest, data, padding, data digest [7143 §11.2]. It copies; a sender of
// long data segments writes the parts into its own buffer instead.

import { writeDigest } from '@scsipub/bytes'
import type { Digests } from './framer.js'
import { padded } from './framer.js'
import { header as basic } from './pdu/pdu.js'

const NONE = Buffer.alloc(0)
const NO_DIGESTS: Digests = { header: false, data: false }

/**
 * The bytes of one PDU on the wire. `header` is the basic header with all additional ones behind it; its
 * DataSegmentLength and TotalAHSLength are set here (`header` is changed). `data` comes without padding.
 */
export function wholePdu(header: Buffer, data: Buffer = NONE, digests: Digests = NO_DIGESTS): Buffer {
  basic.set.dataSegmentLength(header, 0, data.length)
  basic.set.totalAhsLength(header, 0, (header.length - basic.size) / 4)
  const dataAt = header.length + (digests.header ? 4 : 0)
  const dataEnd = dataAt + padded(data.length)
  const dataDigest = digests.data && data.length > 0
  const wire = Buffer.alloc(dataEnd + (dataDigest ? 4 : 0))
  header.copy(wire)
  data.copy(wire, dataAt)
  if (digests.header) writeDigest(header, wire, header.length)
  if (dataDigest) writeDigest(wire.subarray(dataAt, dataEnd), wire, dataEnd)
  return wire
}
