// Cuts a byte stream into PDUs, in whatever pieces it arrives [7143 §11.1].
//
// A PDU that lies wholly in a chunk is handed out in place, without a copy. One that does not is gathered in a buffer of
// exactly its size, made only after its lengths were found to be within the limits, so that nobody makes us allocate
// more by claiming more. With header digests the header is verified before its data length is believed.
//
// Left out: what a PDU means, and the reaction to a wrong data digest (the PDU is handed out and marked, since the answer
// is a Reject or a retry, not the end of the connection [7143 §7.7]).

import { digestMatches } from '@scsipub/bytes'
import { giveBuffer, takeBuffer } from './assembly-pool.js'
import { BHS_SIZE, header } from './pdu/pdu.js'

export interface FramerLimits {
  /** Longest data segment taken, in bytes: our MaxRecvDataSegmentLength. */
  readonly maxDataSegmentLength: number
  /** Longest sum of additional header segments taken, in bytes. */
  readonly maxAhsLength: number
}

export interface Digests {
  readonly header: boolean
  readonly data: boolean
}

/** The stream cannot be followed any further: the connection has to be dropped. */
export interface FramerFault {
  readonly kind: 'drop'
  readonly why: string
}

/**
 * Takes one whole PDU: its basic header at `headerOffset`, additional headers (TotalAHSLength × 4 bytes) behind it, and
 * `dataLength` bytes of data (without padding) at `dataOffset`. `buffer` is only valid during the call.
 * Returns false to pause: no further PDU is handed out before `resume`. Must not call back into push or resume.
 */
export type FramerSink = (
  buffer: Buffer,
  headerOffset: number,
  dataOffset: number,
  dataLength: number,
  dataDigestOk: boolean,
) => boolean

const DIGEST_SIZE = 4
/** From so many missing bytes on, another copy costs more than another receive. */
const WORTH_RECEIVING = 16 << 10
const NONE = Buffer.alloc(0)

/** Length with padding to four bytes [7143 §11.2]. */
export function padded(length: number): number {
  return (length + 3) & ~3
}

export class Framer {
  #limits: FramerLimits
  #digests: Digests = { header: false, data: false }
  #fault: FramerFault | undefined
  #paused = false
  /** Bytes that came in or were left over while paused; they follow those of `#assembly`. */
  #kept: Buffer = NONE
  /** The PDU being gathered: its first `#filled` bytes, of `#wanted` for the next step; nothing is gathered when that is 0. */
  #assembly: Buffer = NONE
  #filled = 0
  #wanted = 0
  // The PDU that was measured last. Its lengths were fixed then: later changes of digests apply to later PDUs.
  #complete = false
  #dataAt = 0
  #dataLength = 0
  #dataDigest = false

  constructor(limits: FramerLimits) {
    this.#limits = limits
  }

  /** Switches digests from the next PDU on, that is the first of which less than a basic header was seen. */
  setDigests(digests: Digests): void {
    this.#digests = { header: digests.header, data: digests.data }
  }

  /** Changes what is taken from the next PDU on. */
  set limits(limits: FramerLimits) {
    this.#limits = limits
  }

  get paused(): boolean {
    return this.#paused
  }

  /** Number of bytes received and not handed out yet. */
  get pendingBytes(): number {
    return this.#filled + this.#kept.length
  }

  /** A copy of all bytes received and not handed out yet, for another framer to go on with. */
  rest(): Buffer {
    return Buffer.concat([this.#assembly.subarray(0, this.#filled), this.#kept])
  }

  /**
   * Takes the bytes `start` to `end` of `chunk`, and calls `sink` for every PDU that is whole now. Nothing of `chunk` is
   * referred to after the call. While paused the bytes are only stored: stop reading soon, nothing bounds them here.
   * @returns the fault that ended the stream, on this and every later call.
   */
  push(chunk: Buffer, start: number, end: number, sink: FramerSink): FramerFault | undefined {
    if (this.#fault) return this.#fault
    if (this.#paused) {
      this.#kept = Buffer.concat([this.#kept, chunk.subarray(start, end)])
      return undefined
    }
    const stopped = this.#run(chunk, start, end, sink)
    if (stopped < end && !this.#fault) this.#kept = Buffer.from(chunk.subarray(stopped, end))
    return this.#fault
  }

  /**
   * Where the next bytes of a long PDU would be copied to: they may be received there, and told by `received`, in place of
   * `push`. Undefined when little or nothing is missing. Valid until the next call of `push`, `received` or `resume`.
   */
  get room(): Buffer | undefined {
    if (this.#paused || this.#wanted - this.#filled < WORTH_RECEIVING) return undefined
    return this.#assembly.subarray(this.#filled, this.#wanted)
  }

  /** The first `count` bytes of `room` have been filled. Like `push` in everything else. */
  received(count: number, sink: FramerSink): FramerFault | undefined {
    this.#filled += count
    if (this.#filled === this.#wanted) this.#run(NONE, 0, 0, sink)
    return this.#fault
  }

  /** Goes on after a pause with the bytes that were stored. A sink may pause again at once. */
  resume(sink: FramerSink): FramerFault | undefined {
    if (this.#fault) return this.#fault
    const kept = this.#kept
    this.#paused = false
    this.#kept = NONE
    const stopped = this.#run(kept, 0, kept.length, sink)
    if (!this.#fault) this.#kept = kept.subarray(stopped)
    return this.#fault
  }

  /** Parses until the bytes end, the sink pauses or a fault is found. @returns the index of the first byte not used. */
  #run(chunk: Buffer, start: number, end: number, sink: FramerSink): number {
    let at = start
    while (at < end || (this.#wanted > 0 && this.#filled === this.#wanted)) {
      if (this.#wanted > 0) {
        at += this.#gather(chunk, at, end)
        if (this.#filled < this.#wanted) return at
        if (!this.#complete) {
          if (!this.#grow()) return at
          if (this.#filled < this.#wanted) continue
        }
        if (!this.#emitAssembly(sink)) return at
        continue
      }
      const available = end - at
      const wanted = this.#measure(chunk, at, available)
      if (wanted === 0) return at
      if (wanted > available) {
        this.#assembly = takeBuffer(wanted)
        this.#wanted = wanted
        continue
      }
      at += wanted
      if (!this.#emit(chunk, at - wanted, sink)) return at
    }
    return at
  }

  #gather(chunk: Buffer, at: number, end: number): number {
    const count = Math.min(end - at, this.#wanted - this.#filled)
    chunk.copy(this.#assembly, this.#filled, at, at + count)
    this.#filled += count
    return count
  }

  /** The header is there: makes room for the rest of the PDU. @returns false on a fault. */
  #grow(): boolean {
    const wanted = this.#measure(this.#assembly, 0, this.#filled)
    if (wanted === 0) return false
    this.#wanted = wanted
    if (wanted <= this.#assembly.length) return true
    const smaller = this.#assembly
    this.#assembly = takeBuffer(wanted)
    smaller.copy(this.#assembly, 0, 0, this.#filled)
    giveBuffer(smaller)
    return true
  }

  #emitAssembly(sink: FramerSink): boolean {
    const whole = this.#assembly
    this.#assembly = NONE
    this.#filled = 0
    this.#wanted = 0
    const goOn = this.#emit(whole, 0, sink)
    giveBuffer(whole)
    return goOn
  }

  /**
   * How many bytes the PDU at `at` takes, as far as `available` bytes can tell: the basic header, then all headers with
   * their digest, then everything, and then `#complete` is set. 0 means a fault.
   */
  #measure(buffer: Buffer, at: number, available: number): number {
    this.#complete = false
    if (available < BHS_SIZE) return BHS_SIZE
    const ahsLength = header.get.totalAhsLength(buffer, at) * 4
    if (ahsLength > this.#limits.maxAhsLength) return this.#drop(`additional headers of ${ahsLength} bytes`)
    const headers = BHS_SIZE + ahsLength
    if (this.#digests.header) {
      if (available < headers + DIGEST_SIZE) return headers + DIGEST_SIZE
      // Nothing in this header can be believed, not even where the next one begins [7143 §7.7].
      if (!digestMatches(buffer.subarray(at, at + headers), buffer, at + headers))
        return this.#drop('header digest mismatch')
    }
    const dataLength = header.get.dataSegmentLength(buffer, at)
    if (dataLength > this.#limits.maxDataSegmentLength)
      return this.#drop(`a data segment of ${dataLength} bytes [7143 §13.12]`)
    this.#dataAt = headers + (this.#digests.header ? DIGEST_SIZE : 0)
    this.#dataLength = dataLength
    // An empty data segment has no digest [7143 §11.2.3].
    this.#dataDigest = this.#digests.data && dataLength > 0
    this.#complete = true
    return this.#dataAt + padded(dataLength) + (this.#dataDigest ? DIGEST_SIZE : 0)
  }

  #emit(buffer: Buffer, at: number, sink: FramerSink): boolean {
    const dataAt = at + this.#dataAt
    let dataDigestOk = true
    if (this.#dataDigest) {
      const dataEnd = dataAt + padded(this.#dataLength)
      // Padding is covered by the digest too [7143 §11.2.3].
      dataDigestOk = digestMatches(buffer.subarray(dataAt, dataEnd), buffer, dataEnd)
    }
    if (sink(buffer, at, dataAt, this.#dataLength, dataDigestOk)) return true
    this.#paused = true
    return false
  }

  #drop(why: string): 0 {
    this.#fault = { kind: 'drop', why }
    return 0
  }
}
