// A text that is longer than one PDU: gathered from requests with the C bit, or given out in answers with it
// [7143 §6.2, §11.10.2, §11.11.2]. Both cut anywhere, in the middle of a pair too.

import type { TextFault } from './text.js'

const NONE = Buffer.alloc(0)

/** Gathers one text out of the data segments of several requests, up to a bound. */
export class TextAssembler {
  #pieces: Buffer[] = []
  #length = 0
  #maxBytes: number

  /** `maxBytes`: longest whole text that is taken. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  set maxBytes(bytes: number) {
    this.#maxBytes = bytes
  }

  /** Bytes gathered and waiting for the rest of their text. */
  get pendingBytes(): number {
    return this.#length
  }

  /** A copy of what was gathered; to be added again, as continued, by another assembler. */
  get gathered(): Buffer {
    return Buffer.concat(this.#pieces)
  }

  /**
   * Adds a data segment (copied when it has to be kept); `continued` is the C bit.
   * @returns the whole text, undefined while more is to come, or a fault when it got too long.
   */
  add(data: Buffer, continued: boolean): Buffer | TextFault | undefined {
    this.#length += data.length
    if (this.#length > this.#maxBytes) {
      this.reset()
      return { kind: 'textFault', why: `a text of more than ${this.#maxBytes} bytes` }
    }
    if (continued) {
      this.#pieces.push(Buffer.from(data))
      return undefined
    }
    const whole = this.#pieces.length === 0 ? data : Buffer.concat([...this.#pieces, data])
    this.reset()
    return whole
  }

  /** Forgets what was gathered. */
  reset(): void {
    this.#pieces = []
    this.#length = 0
  }
}

/** Gives out a long text piece by piece. */
export class TextPages {
  readonly #text: Buffer
  #at = 0

  constructor(text: Buffer) {
    this.#text = text
  }

  get done(): boolean {
    return this.#at >= this.#text.length
  }

  /** What was not given out. */
  get rest(): Buffer {
    return this.#text.subarray(this.#at)
  }

  /** The next piece, of at most `maxBytes` (what the receiver takes, at least 1); `last` when nothing follows it. */
  next(maxBytes: number): { readonly piece: Buffer; readonly last: boolean } {
    if (this.done) return { piece: NONE, last: true }
    const end = Math.min(this.#at + Math.max(1, maxBytes), this.#text.length)
    const piece = this.#text.subarray(this.#at, end)
    this.#at = end
    return { piece, last: this.done }
  }
}
