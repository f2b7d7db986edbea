/**
 * Carries requests out in the order of their CmdSN, whatever order they come in, and whichever connection they come by. [7143 §4.2.2.1]
 *
 * On one connection they come in order, unless the initiator made a mistake; those of several overtake one another. What is early is
 * held as a copy until its turn, and what is outside of the window is ignored.
 */
import { snAdd, snLt } from '@scsipub/bytes'
import type { PduRecord, SharedRecord } from '@scsipub/contract'
import { BHS_SIZE, header } from '@scsipub/iscsi'
import type { CommandWindow } from './numbering.js'

/** The connection that a request came by, which also carries it out [7143 §4.2.2.1.3]. */
export interface Carrier {
  /** `buffer` is only valid during the call. */
  carryOut(buffer: Buffer, head: number, dataAt: number, length: number): void
  /** As `carryOut`, for a Data-Out PDU. */
  dataOut(buffer: Buffer, head: number, dataAt: number, length: number): void
}

/** A copy of a PDU: header at the front, data at `dataAt`. */
interface Copy {
  readonly buffer: Buffer
  readonly dataAt: number
  readonly length: number
}

/** A request whose turn has not come, and the unsolicited data that followed it. */
interface Held extends Copy {
  readonly carrier: Carrier | undefined
  readonly data: Copy[]
}

/** Somebody who waits until all commands before `cmdSn` have been taken. */
interface Waiting {
  readonly cmdSn: number
  readonly carrier: Carrier
  readonly pdu: Buffer
  readonly go: () => void
}

/** Data-Out PDUs held for a command. */
const MAX_DATA_PDUS = 1024
/** Who may wait at a time. */
const MAX_WAITING = 32

/** Stands for a command that was aborted before it came. */
const VOID: Held = { carrier: undefined, buffer: Buffer.alloc(BHS_SIZE), dataAt: 0, length: 0, data: [] }

export class CommandOrder {
  readonly #window: CommandWindow
  readonly #early = new Map<number, Held>()
  #waiting: Waiting[] = []

  constructor(window: CommandWindow) {
    this.#window = window
  }

  /** Takes a request that is not immediate; `buffer` is only valid during the call. */
  take(carrier: Carrier, cmdSn: number, buffer: Buffer, head: number, dataAt: number, length: number): void {
    const turn = this.#window.classify(cmdSn)
    if (turn === 'early' && !this.#early.has(cmdSn)) {
      this.#early.set(cmdSn, { carrier, ...copyOf(buffer, head, dataAt, length), data: [] })
    }
    if (turn !== 'next') return
    this.#window.advance()
    carrier.carryOut(buffer, head, dataAt, length)
    if (this.#early.size > 0 || this.#waiting.length > 0) this.#goOn()
  }

  /**
   * Holds a Data-Out PDU whose command, from the same connection, is held: Data-Out PDUs have no CmdSN, so unsolicited data come before
   * their command's turn [7143 §4.2.4.2]. `mostBytes`: what may come unsolicited for a command. 'unknown': no such command is held.
   */
  holdData(
    carrier: Carrier,
    pdu: { buffer: Buffer; head: number; dataAt: number; length: number },
    mostBytes: number,
  ): 'held' | 'unknown' | 'too much' {
    if (this.#early.size === 0) return 'unknown'
    const { buffer, head, dataAt, length } = pdu
    const tag = header.get.initiatorTaskTag(buffer, head)
    for (const held of this.#early.values()) {
      if (held.carrier !== carrier || header.get.initiatorTaskTag(held.buffer, 0) !== tag) continue
      const bytes = held.data.reduce((sum, piece) => sum + piece.length, held.length + length)
      if (bytes > mostBytes || held.data.length === MAX_DATA_PDUS) return 'too much'
      held.data.push(copyOf(buffer, head, dataAt, length))
      return 'held'
    }
    return 'unknown'
  }

  /**
   * A command that was aborted before it came counts as received: its number is passed over, and a copy that is
   * held or still comes is not carried out [7143 §11.6.1]. False when the number is outside of the window.
   */
  passOver(cmdSn: number): boolean {
    if (this.#window.classify(cmdSn) === 'outside') return false
    this.#early.set(cmdSn, VOID)
    this.#goOn()
    return true
  }

  /** As `passOver`, for all commands before `cmdSn` that have not had their turn. */
  passAllBefore(cmdSn: number): void {
    for (let sn = this.#window.expCmdSn; snLt(sn, cmdSn); sn = snAdd(sn, 1)) this.#early.set(sn, VOID)
    this.#goOn()
  }

  /**
   * Calls `go` for `carrier` when all commands before `cmdSn` have been taken; at once when they have. False when so many wait
   * already that it is not called. `pdu`: the header of the request, valid during the call.
   */
  after(cmdSn: number, carrier: Carrier, pdu: Buffer, go: () => void): boolean {
    if (!snLt(this.#window.expCmdSn, cmdSn)) go()
    else if (this.#waiting.length >= MAX_WAITING) return false
    else this.#waiting.push({ cmdSn, carrier, pdu: Buffer.from(pdu), go })
    return true
  }

  /** Nothing is held, and nobody waits. */
  get atRest(): boolean {
    return this.#early.size === 0 && this.#waiting.length === 0
  }

  /** What is held and who waits, for another worker. `cidOf`: by which a carrier is known. */
  record(cidOf: (carrier: Carrier) => number): Pick<SharedRecord, 'early' | 'waiting'> {
    const early = [...this.#early].map(([cmdSn, { carrier, data, ...pdu }]) => ({
      cmdSn,
      ...(carrier && { cid: cidOf(carrier) }),
      pdu: recordOf(pdu),
      data: data.map(recordOf),
    }))
    const waiting = this.#waiting.map(({ carrier, pdu }) => ({ cid: cidOf(carrier), pdu: new Uint8Array(pdu) }))
    return { early, waiting }
  }

  /** Holds what another worker has held; who has waited there has to be told again. */
  restore(early: SharedRecord['early'], carrierOf: (cid: number) => Carrier): void {
    for (const { cmdSn, cid, pdu, data } of early) {
      const held = {
        carrier: cid === undefined ? undefined : carrierOf(cid),
        ...copyFrom(pdu),
        data: data.map(copyFrom),
      }
      this.#early.set(cmdSn, held)
    }
  }

  /** Nothing is under way any more that could fill a gap: who waits for that goes on. */
  waitNoLonger(): void {
    for (const { go } of this.#waiting.splice(0)) go()
  }

  /**
   * Forgets what came by a connection that is lost. No ExpCmdSN has acknowledged it, so to the initiator it has never come: the
   * numbers stay free for it to send again [7143 §7.2.1].
   */
  forget(carrier: Carrier): void {
    for (const [cmdSn, held] of this.#early) if (held.carrier === carrier) this.#early.delete(cmdSn)
    this.#waiting = this.#waiting.filter(waiting => waiting.carrier !== carrier)
  }

  #goOn(): void {
    for (;;) {
      this.#wake()
      const held = this.#early.get(this.#window.expCmdSn)
      if (!held) return
      this.#early.delete(this.#window.expCmdSn)
      this.#window.advance()
      const { carrier } = held
      carrier?.carryOut(held.buffer, 0, held.dataAt, held.length)
      for (const { buffer, dataAt, length } of held.data) carrier?.dataOut(buffer, 0, dataAt, length)
    }
  }

  #wake(): void {
    const { expCmdSn } = this.#window
    const ready = this.#waiting.filter(({ cmdSn }) => !snLt(expCmdSn, cmdSn))
    if (ready.length === 0) return
    this.#waiting = this.#waiting.filter(waiting => !ready.includes(waiting))
    for (const { go } of ready) go()
  }
}

function recordOf({ buffer, dataAt, length }: Copy): PduRecord {
  return { bytes: new Uint8Array(buffer), dataAt, length }
}

function copyFrom({ bytes, dataAt, length }: PduRecord): Copy {
  return { buffer: Buffer.from(bytes), dataAt, length }
}

function copyOf(buffer: Buffer, head: number, dataAt: number, length: number): Copy {
  return { buffer: Buffer.from(buffer.subarray(head, dataAt + length)), dataAt: dataAt - head, length }
}
