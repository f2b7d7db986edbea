// Cuts what the target sends into PDUs. Written apart from the framer of @scsipub/iscsi on purpose: the tests of a server
// should not read its output with the server's own eyes. Simple, and as slow as concatenation is.

import { digestMatches } from '@scsipub/bytes'
import type { Digests } from '@scsipub/iscsi'
import { BHS_SIZE, header } from '@scsipub/iscsi'
import { type ReceivedPdu, receivedPdu } from './received-pdu.js'

const DIGEST_SIZE = 4
const NONE = Buffer.alloc(0)

export class PduReader {
  #digests: Digests = { header: false, data: false }
  #bytes: Buffer = NONE

  /** From the next PDU on. */
  setDigests(digests: Digests): void {
    this.#digests = digests
  }

  /** Bytes of a PDU that is not whole yet. */
  get pendingBytes(): number {
    return this.#bytes.length
  }

  /** Adds what arrived. */
  push(chunk: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#bytes, chunk])
  }

  /**
   * The next whole PDU, or undefined when there is none yet.
   * @throws Error for a wrong digest, and for padding that is not zero [7143 §11.2.3]
   */
  next(): ReceivedPdu | undefined {
    const bytes = this.#bytes
    if (bytes.length < BHS_SIZE) return undefined
    const headers = BHS_SIZE + header.get.totalAhsLength(bytes, 0) * 4
    const dataAt = headers + (this.#digests.header ? DIGEST_SIZE : 0)
    const length = header.get.dataSegmentLength(bytes, 0)
    const dataEnd = dataAt + ((length + 3) & ~3)
    const end = dataEnd + (this.#digests.data && length > 0 ? DIGEST_SIZE : 0)
    if (bytes.length < end) return undefined
    if (this.#digests.header && !digestMatches(bytes.subarray(0, headers), bytes, headers)) {
      throw new Error('the target sent a wrong header digest')
    }
    if (end > dataEnd && !digestMatches(bytes.subarray(dataAt, dataEnd), bytes, dataEnd)) {
      throw new Error('the target sent a wrong data digest')
    }
    if (bytes.subarray(dataAt + length, dataEnd).some(byte => byte !== 0)) {
      throw new Error('the target sent padding that is not zero')
    }
    this.#bytes = bytes.subarray(end)
    return receivedPdu(bytes.subarray(0, BHS_SIZE), bytes.subarray(dataAt, dataAt + length))
  }
}
