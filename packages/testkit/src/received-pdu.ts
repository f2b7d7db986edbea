// A PDU as it came from the target: header and data, not yet interpreted. Decoding also asks the layout whether the PDU is
// legal by itself, so that every test that looks at a PDU tests that as well.

import type { DecodedFields, Fields } from '@scsipub/bytes'
import type { Pdu } from '@scsipub/iscsi'
import { header, opcodeName } from '@scsipub/iscsi'

export interface ReceivedPdu {
  readonly opcode: number
  readonly initiatorTaskTag: number
  /** The 48 bytes of the basic header. */
  readonly header: Buffer
  /** The data segment without padding. */
  readonly data: Buffer
}

/** Takes header and data of one PDU; both are kept, not copied. */
export function receivedPdu(head: Buffer, data: Buffer): ReceivedPdu {
  return {
    opcode: header.get.opcode(head, 0),
    initiatorTaskTag: header.get.initiatorTaskTag(head, 0),
    header: head,
    data,
  }
}

/**
 * The PDU's fields by the layout `kind`.
 * @throws Error when it is a PDU of another kind, or breaks the standard by itself
 */
export function decodeAs<F extends Fields>(kind: Pdu<F>, pdu: ReceivedPdu): DecodedFields<F> {
  if (pdu.opcode !== kind.opcode) {
    throw new Error(`expected ${opcodeName(kind.opcode)}, got ${describe(pdu)}`)
  }
  const fields = kind.decode(pdu.header)
  const why = kind.invalid(fields)
  if (why !== undefined) throw new Error(`an illegal ${opcodeName(kind.opcode)}: ${why}`)
  return fields
}

/** For messages of failed tests. */
export function describe(pdu: ReceivedPdu): string {
  const tag = pdu.initiatorTaskTag.toString(16).padStart(8, '0')
  return `${opcodeName(pdu.opcode)} (task ${tag}, header ${pdu.header.toString('hex')}, ${pdu.data.length} bytes of data)`
}
