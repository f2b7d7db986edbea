// TransportIDs of iSCSI initiator ports [SPC-4 §7.6.4.6].
//
//   0      FORMAT CODE (2 bits) | PROTOCOL IDENTIFIER 5h        00b  a node: its iSCSI name
//   2-3    ADDITIONAL LENGTH, a multiple of 4, 20 or more       01b  a port: name, ",i,0x", ISID as 12 hexadecimal digits
//   4-     the text, ended by a NUL, filled up with NULs
//
// A port is known here by the text of format 01b. Names are compared in lower case, as iSCSI does after normalizing. Whether a name is
// a proper one is not judged: one that nobody logs in by stands for nobody.

import { bits, layout, u8, u16 } from '@scsipub/bytes'

const header = layout(4, {
  formatCode: bits(0, 6, 2),
  protocolIdentifier: bits(0, 0, 4),
  reserved: u8(1),
  additionalLength: u16(2),
})

const ISCSI = 5
const NODE_FORMAT = 0b00
const PORT_FORMAT = 0b01
const MIN_ADDITIONAL_BYTES = 20
/** Longest iSCSI name; with separator and ISID behind it, and a NUL. */
const MAX_NAME_BYTES = 223
const MAX_TEXT_BYTES = MAX_NAME_BYTES + ',i,0x'.length + 12

const PORT = /^(?<node>[^,]+),i,0x(?<isid>[0-9a-f]{12})$/

/** The name of an initiator port [7143 §3.4.1]. `isid` is its six bytes. */
export function initiatorPortName(initiatorName: string, isid: Buffer): string {
  return `${initiatorName},i,0x${isid.toString('hex')}`
}

/** A TransportID of format 01b. */
export function encodeTransportId(port: string): Buffer {
  const text = Buffer.from(port)
  const additionalLength = Math.max(MIN_ADDITIONAL_BYTES, 4 * Math.ceil((text.length + 1) / 4))
  const id = Buffer.alloc(header.size + additionalLength)
  header.encode({ formatCode: PORT_FORMAT, protocolIdentifier: ISCSI, additionalLength }, id)
  text.copy(id, header.size)
  return id
}

/** What one TransportID names, and its length in bytes. */
export type TransportId = { readonly sizeBytes: number } & ({ readonly port: string } | { readonly node: string })

/** Reads the TransportID at `offset`; undefined when it is cut short or is none of iSCSI. */
export function decodeTransportId(list: Buffer, offset: number): TransportId | undefined {
  if (list.length - offset < header.size) return undefined
  const { formatCode, protocolIdentifier, additionalLength } = header.decode(list, offset)
  const sizeBytes = header.size + additionalLength
  if (protocolIdentifier !== ISCSI || additionalLength < MIN_ADDITIONAL_BYTES || additionalLength % 4 !== 0)
    return undefined
  if (list.length - offset < sizeBytes) return undefined
  const text = terminated(list.subarray(offset + header.size, offset + sizeBytes))
  if (text === undefined) return undefined
  if (formatCode === NODE_FORMAT) return text.includes(',') ? undefined : { sizeBytes, node: text }
  if (formatCode !== PORT_FORMAT || !PORT.test(text)) return undefined
  return { sizeBytes, port: text }
}

/** The text before the first NUL, in lower case; undefined when there is none, or nothing before it. */
function terminated(field: Buffer): string | undefined {
  const end = field.indexOf(0)
  if (end < 1 || end > MAX_TEXT_BYTES) return undefined
  return field.toString('utf8', 0, end).normalize('NFKC').toLowerCase()
}
