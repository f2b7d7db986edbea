/**
 * Carries requests out in the order of their CmdSN, whatever order they come in. [7143 §4.2.2.1]
 *
 * On one connection they come in order, unless the initiator made a mistake; what is early is held as a copy until its turn,
 * and what is outside of the window is ignored.
 */
import type { Numbering } from './numbering.js'

/** A request, where it lies in a buffer. */
export interface Placed {
  readonly buffer: Buffer
  readonly head: number
  readonly dataAt: number
  readonly length: number
}

/** Stands for a command that was aborted before it came. */
const VOID: Placed = { buffer: Buffer.alloc(0), head: 0, dataAt: 0, length: 0 }

export class CommandOrder {
  readonly #numbering: Numbering
  readonly #carryOut: (buffer: Buffer, head: number, dataAt: number, length: number) => void
  readonly #early = new Map<number, Placed>()

  constructor(numbering: Numbering, carryOut: (buffer: Buffer, head: number, dataAt: number, length: number) => void) {
    this.#numbering = numbering
    this.#carryOut = carryOut
  }

  /** Takes a request that is not immediate; `buffer` is only valid during the call. */
  take(cmdSn: number, buffer: Buffer, head: number, dataAt: number, length: number): void {
    const turn = this.#numbering.classify(cmdSn)
    if (turn === 'early' && !this.#early.has(cmdSn)) {
      const copy = Buffer.from(buffer.subarray(head, dataAt + length))
      this.#early.set(cmdSn, { buffer: copy, head: 0, dataAt: dataAt - head, length })
    }
    if (turn !== 'next') return
    this.#numbering.advance()
    this.#carryOut(buffer, head, dataAt, length)
    if (this.#early.size > 0) this.#goOn()
  }

  /**
   * A command that was aborted before it came counts as received: its number is passed over, and a copy that is
   * held or still comes is not carried out [7143 §11.6.1]. False when the number is outside of the window.
   */
  passOver(cmdSn: number): boolean {
    if (this.#numbering.classify(cmdSn) === 'outside') return false
    this.#early.set(cmdSn, VOID)
    this.#goOn()
    return true
  }

  /** Forgets what is held. */
  clear(): void {
    this.#early.clear()
  }

  #goOn(): void {
    for (;;) {
      const { expCmdSn } = this.#numbering
      const held = this.#early.get(expCmdSn)
      if (!held) return
      this.#early.delete(expCmdSn)
      this.#numbering.advance()
      if (held !== VOID) this.#carryOut(held.buffer, held.head, held.dataAt, held.length)
    }
  }
}
