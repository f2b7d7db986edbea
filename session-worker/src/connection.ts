/**
 * One TCP connection of an initiator: a duplicate of the supervisor's descriptor, read into a buffer that all connections of
 * the worker share, and written from the worker's output slab.
 *
 * Reading is synchronous: the bytes of a chunk are framed and acted upon before the next chunk is read, so nothing is
 * copied but the first part of a PDU cut in two; a long rest is received where it belongs. A peer that does not read what it asked for stops being read (`congested`).
 * Left out: what PDUs mean.
 */
import net from 'node:net'
import type { SessionCell } from '@scsipub/contract'
import type { Framer, FramerFault, FramerSink } from '@scsipub/iscsi'
import { BusyPoll } from './busy-poll.js'
import type { Output } from './output.js'

/** Bytes the socket may hold back before the connection counts as congested. */
const CONGESTED_BYTES = 1 << 20
const READ_BUFFER_BYTES = 256 << 10
/** Sections are sent in pieces of about this size, so that the initiator has work while we go on. */
const FLUSH_BYTES = 32 << 10
const KEEP_ALIVE_MS = 30_000

const readBuffer = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES)
const busyPoll = new BusyPoll()

/** Node's own counts, which it shows nowhere. */
interface Handled {
  readonly _handle: { readonly bytesWritten: number; readonly writeQueueSize: number } | null
}

export interface ConnectionEvents {
  /** A whole PDU, see `Framer`. Returns false to stop reading until `resume`. */
  readonly pdu: FramerSink
  /** A section has ended. Told only to who has a cell. */
  settled(): void
  /** All that could be sent was sent: go on with what waited for room. */
  drained(): void
  /** The peer or the network ended it, or what it sent is not iSCSI. Told once. */
  ended(why: string): void
}

export class Connection {
  readonly framer: Framer
  /** Where it says how it stands, see `standing/`; undefined before the full feature phase. */
  cell: SessionCell | undefined
  readonly #socket: net.Socket
  readonly #output: Output
  readonly #events: ConnectionEvents
  readonly #sink: FramerSink
  #over = false
  #paused = false
  /** About to be given to another worker: nothing is read, and what could go on waits. */
  #held: boolean
  /** Bytes given to the socket, ever. */
  #given = 0
  /** The last of them, as far as the kernel may not have taken them. */
  readonly #backlog: Buffer[] = []
  /** Time of the last byte received, in milliseconds of `performance.now()`. */
  lastInputMs = performance.now()

  /** `held`: it begins as if `hold` had been called. */
  constructor(fd: number, output: Output, framer: Framer, events: ConnectionEvents, held = false) {
    this.framer = framer
    this.#held = held
    this.#output = output
    this.#events = events
    this.#sink = (buffer, header, data, length, digestOk) => {
      const goOn = events.pdu(buffer, header, data, length, digestOk)
      if (!goOn) this.#paused = true
      return goOn && !this.#over
    }
    const onread = {
      buffer: () => framer.room ?? readBuffer,
      callback: (bytes: number, buffer: Uint8Array) => this.#received(bytes, buffer),
    }
    const options = { fd, readable: true, writable: true, onread, pauseOnCreate: held }
    this.#socket = new net.Socket(options as net.SocketConstructorOpts)
    this.#socket.setNoDelay(true)
    this.#socket.setKeepAlive(true, KEEP_ALIVE_MS)
    this.#socket.on('drain', () => events.drained())
    this.#socket.on('error', error => this.#end(error.message))
    this.#socket.on('close', () => this.#end('connection closed by the initiator'))
  }

  /** The initiator does not read what it asked for, or nothing more should be begun. */
  get congested(): boolean {
    return this.#held || this.#socket.writableLength > CONGESTED_BYTES
  }

  /** All bytes that came have been acted upon, and the kernel has all that was to be sent. */
  get atRest(): boolean {
    return !this.#over && !this.#held && this.framer.pendingBytes === 0 && this.#socket.writableLength === 0
  }

  get over(): boolean {
    return this.#over
  }

  /**
   * Room for a PDU in the output; returns the offset into `output.buffer`. A section of another connection is sent first: what one
   * connection's input brings about may have to be said on another one of the session.
   */
  reserve(bytes: number): number {
    if (this.#output.owner !== this) {
      this.#output.owner?.flush()
      this.#output.owner = this
    }
    this.cell?.stir()
    if (this.#output.length > FLUSH_BYTES || this.#output.isFull(bytes)) this.flush()
    return this.#output.reserve(bytes)
  }

  /**
   * Sends what was reserved and filled since the last flush, by whichever connection. Ends every synchronous section that may have
   * reserved.
   */
  flush(): void {
    const { owner } = this.#output
    if (this.#output.length === 0) return
    if (owner !== this) return owner?.flush()
    if (this.#over) return this.#output.reuse()
    const section = this.#output.take()
    this.#socket.write(section)
    this.#given += section.length
    if (this.#socket.writableLength === 0) this.#output.reuse()
    else {
      this.#output.keep()
      this.#owe(section)
    }
  }

  /**
   * Takes the last reserved room (`bytes` at `offset`) out of the running section, which is sent without it. Whoever has the room fills
   * it and gives it to `send`.
   */
  detach(offset: number, bytes: number): Buffer {
    this.#output.unreserve(offset)
    this.flush()
    return this.#output.leave(offset, bytes)
  }

  /** Gives back the last reserved room: there is nothing to send. */
  unreserve(offset: number): void {
    this.#output.unreserve(offset)
  }

  /** Sends a detached piece. Nothing may be reserved and unsent. */
  send(piece: Buffer): void {
    if (this.#over) return
    this.#socket.write(piece)
    this.#given += piece.length
    if (this.#socket.writableLength > 0) this.#owe(piece)
  }

  /** Takes bytes that were read before, as if they had just come. */
  feed(bytes: Buffer): void {
    this.#settle(this.framer.push(bytes, 0, bytes.length, this.#sink))
  }

  /** Goes on reading after the sink returned false. */
  resume(): void {
    if (!this.#paused || this.#over || this.#held) return
    this.#paused = false
    this.#settle(this.framer.resume(this.#sink))
    if (!this.#paused && !this.#over) this.#socket.resume()
  }

  /** Reads nothing more, and counts as congested, until `letGo`. */
  hold(): void {
    this.#held = true
    if (!this.#over) this.#socket.pause()
  }

  /** Takes back `hold`; who waits for room has to be told, and then it goes on by `readOn`. */
  letGo(): void {
    this.#held = false
  }

  /** Reads, unless it was paused. */
  readOn(): void {
    if (!this.#paused && !this.#over) this.#socket.resume()
  }

  /** Copies of the bytes that have come and were not acted upon, and of those that were to be sent and the kernel has not taken. */
  record(): { received: Uint8Array; unsent: Uint8Array } {
    return { received: new Uint8Array(this.framer.rest()), unsent: new Uint8Array(this.#unsent()) }
  }

  #unsent(): Buffer {
    const { _handle: handle } = this.#socket as unknown as Handled
    // The handle counts what Node has given to libuv, whose queue has what the kernel would not take.
    const taken = handle ? handle.bytesWritten - handle.writeQueueSize : this.#given
    const all = Buffer.concat(this.#backlog)
    return all.subarray(all.length - (this.#given - taken))
  }

  /** What is kept for `record` is forgotten when the kernel has it. To be called now and then. */
  forgetSent(): void {
    if (this.#socket.writableLength === 0) this.#backlog.length = 0
  }

  /** Sends a last FIN after all output; the peer's FIN or `destroy` ends it. */
  finish(): void {
    if (!this.#over) this.#socket.end()
  }

  /** Closes the descriptor at once. `ended` is not told. */
  destroy(): void {
    this.#over = true
    this.#socket.destroy()
  }

  #received(bytes: number, buffer: Uint8Array): boolean {
    this.lastInputMs = performance.now()
    busyPoll.input(this.lastInputMs)
    this.cell?.received(bytes)
    const { framer } = this
    this.#settle(
      buffer === readBuffer ? framer.push(readBuffer, 0, bytes, this.#sink) : framer.received(bytes, this.#sink),
    )
    return !this.#paused && !this.#held
  }

  /** The kernel has not taken all of `piece`, and maybe not of pieces before it. */
  #owe(piece: Buffer): void {
    const { _handle: handle } = this.#socket as unknown as Handled
    const owed = handle ? this.#given - (handle.bytesWritten - handle.writeQueueSize) : 0
    this.#backlog.push(piece)
    let kept = this.#backlog.reduce((sum, { length }) => sum + length, 0)
    for (let first = this.#backlog[0]; first && kept - first.length >= owed; first = this.#backlog[0]) {
      kept -= first.length
      this.#backlog.shift()
    }
  }

  /** Ends the section of a chunk: what was produced is sent, what was wrong ends the connection. */
  #settle(fault: FramerFault | undefined): void {
    this.flush()
    if (fault) this.#end(fault.why)
    else if (this.cell) this.#events.settled()
  }

  #end(why: string): void {
    if (this.#over) return
    this.#over = true
    this.#socket.destroy()
    this.#events.ended(why)
  }
}
