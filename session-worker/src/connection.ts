/**
 * One TCP connection of an initiator: a duplicate of the supervisor's descriptor, read into a buffer that all connections of
 * the worker share, and written from the worker's output slab.
 *
 * Reading is synchronous: the bytes of a chunk are framed and acted upon before the next chunk is read, so nothing is
 * copied but the first part of a PDU cut in two; a long rest is received where it belongs. A peer that does not read what it asked for stops being read (`congested`).
 * Left out: what PDUs mean.
 */
import net from 'node:net'
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

export interface ConnectionEvents {
  /** A whole PDU, see `Framer`. Returns false to stop reading until `resume`. */
  readonly pdu: FramerSink
  /** All that could be sent was sent: go on with what waited for room. */
  drained(): void
  /** The peer or the network ended it, or what it sent is not iSCSI. Told once. */
  ended(why: string): void
}

export class Connection {
  readonly framer: Framer
  readonly #socket: net.Socket
  readonly #output: Output
  readonly #events: ConnectionEvents
  readonly #sink: FramerSink
  #over = false
  #paused = false
  /** Time of the last byte received, in milliseconds of `performance.now()`. */
  lastInputMs = performance.now()

  constructor(fd: number, output: Output, framer: Framer, events: ConnectionEvents) {
    this.framer = framer
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
    this.#socket = new net.Socket({ fd, readable: true, writable: true, onread } as net.SocketConstructorOpts)
    this.#socket.setNoDelay(true)
    this.#socket.setKeepAlive(true, KEEP_ALIVE_MS)
    this.#socket.on('drain', () => events.drained())
    this.#socket.on('error', error => this.#end(error.message))
    this.#socket.on('close', () => this.#end('connection closed by the initiator'))
  }

  /** Bytes given to the socket that the kernel has not taken. */
  get congested(): boolean {
    return this.#socket.writableLength > CONGESTED_BYTES
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
    this.#socket.write(this.#output.take())
    if (this.#socket.writableLength === 0) this.#output.reuse()
    else this.#output.keep()
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
    if (!this.#over) this.#socket.write(piece)
  }

  /** Takes bytes that were read before, as if they had just come. */
  feed(bytes: Buffer): void {
    this.#settle(this.framer.push(bytes, 0, bytes.length, this.#sink))
  }

  /** Goes on reading after the sink returned false. */
  resume(): void {
    if (!this.#paused || this.#over) return
    this.#paused = false
    this.#settle(this.framer.resume(this.#sink))
    if (!this.#paused && !this.#over) this.#socket.resume()
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
    const { framer } = this
    this.#settle(
      buffer === readBuffer ? framer.push(readBuffer, 0, bytes, this.#sink) : framer.received(bytes, this.#sink),
    )
    return !this.#paused
  }

  /** Ends the section of a chunk: what was produced is sent, what was wrong ends the connection. */
  #settle(fault: FramerFault | undefined): void {
    this.flush()
    if (fault) this.#end(fault.why)
  }

  #end(why: string): void {
    if (this.#over) return
    this.#over = true
    this.#socket.destroy()
    this.#events.ended(why)
  }
}
