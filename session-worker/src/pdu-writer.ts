/**
 * Builds PDUs in the worker's output: header, optional header digest, data padded to four bytes, optional data digest.
 * [7143 §11.2]
 *
 * `begin` reserves room for a PDU with so many bytes of data and gives a zeroed header; the caller fills header and data; `seal` writes the
 * length, padding and digests.
 */
import { writeDigest } from '@scsipub/bytes'
import { BHS_SIZE, header, padded } from '@scsipub/iscsi'
import type { Connection } from './connection.js'
import type { Output } from './output.js'

const DIGEST_BYTES = 4

export class PduWriter {
  readonly #connection: Connection
  readonly #output: Output
  #headerDigestBytes = 0
  #dataDigestBytes = 0

  constructor(connection: Connection, output: Output) {
    this.#connection = connection
    this.#output = output
  }

  /** From the next PDU on. */
  setDigests(digests: { header: boolean; data: boolean }): void {
    this.#headerDigestBytes = digests.header ? DIGEST_BYTES : 0
    this.#dataDigestBytes = digests.data ? DIGEST_BYTES : 0
  }

  /** Where the data begins, counted from the header. */
  get dataAt(): number {
    return BHS_SIZE + this.#headerDigestBytes
  }

  /** The memory that offsets of the last `begin` refer to. */
  get buffer(): Buffer {
    return this.#output.buffer
  }

  /** Whole length on the wire of a PDU with so much data. */
  size(dataBytes: number): number {
    return this.dataAt + (dataBytes === 0 ? 0 : padded(dataBytes) + this.#dataDigestBytes)
  }

  /** Offset of a zeroed header in `buffer`, with room for the data behind it. */
  begin(dataBytes: number): number {
    const offset = this.#connection.reserve(this.size(dataBytes))
    this.#output.buffer.fill(0, offset, offset + BHS_SIZE)
    return offset
  }

  /** Finishes the PDU whose header is at `offset` of `buffer`. */
  seal(buffer: Buffer, offset: number, dataBytes: number): void {
    header.set.dataSegmentLength(buffer, offset, dataBytes)
    if (this.#headerDigestBytes) writeDigest(buffer.subarray(offset, offset + BHS_SIZE), buffer, offset + BHS_SIZE)
    if (dataBytes === 0) return
    const start = offset + this.dataAt
    const end = start + padded(dataBytes)
    for (let pad = start + dataBytes; pad < end; pad++) buffer[pad] = 0
    if (this.#dataDigestBytes) writeDigest(buffer.subarray(start, end), buffer, end)
  }

  /** A whole PDU that stands at the front of `head`, a 48-byte header, with its data. */
  whole(head: Buffer, data: Buffer): void {
    const offset = this.begin(data.length)
    head.copy(this.buffer, offset, 0, BHS_SIZE)
    data.copy(this.buffer, offset + this.dataAt)
    this.seal(this.buffer, offset, data.length)
  }
}
