// One TCP connection of the test initiator: sends PDUs and raw bytes, hands received PDUs to an inbox, and can do what no
// decent initiator does: corrupt one PDU, end the connection in the middle of a byte stream, stop reading.
//
// Left out: any meaning of PDUs. Sequence numbers are the initiator's business (initiator.ts).

import { connect, type Socket } from 'node:net'
import type { Digests } from '@scsipub/iscsi'
import { wholePdu } from '@scsipub/iscsi'
import { Inbox } from './inbox.js'
import { PduReader } from './pdu-reader.js'
import type { ReceivedPdu } from './received-pdu.js'

export interface PortalAddress {
  readonly host: string
  readonly port: number
}

export type Ending = 'fin' | 'reset'

const CONNECT_MS = 60_000
const NO_DIGESTS: Digests = { header: false, data: false }

export class Wire {
  readonly inbox = new Inbox()
  /** Settles when the connection is over, with the reason as this side saw it. */
  readonly closed: Promise<string>
  /** Called with every PDU before it reaches the inbox; what it throws ends the connection. One that it has dealt with is not kept there. */
  onPdu: ((pdu: ReceivedPdu) => 'dealt with' | undefined) | undefined
  /** Changes the bytes of the next PDU that is sent, and only of that one. */
  corruptNext: ((bytes: Buffer) => Buffer) | undefined
  readonly #socket: Socket
  readonly #reader = new PduReader()
  #digests: Digests = NO_DIGESTS
  #sentBytes = 0
  #cut: { after: number; ending: Ending } | undefined

  private constructor(socket: Socket) {
    this.#socket = socket
    let why = 'the target closed the connection'
    socket.on('data', chunk => this.#received(chunk as Buffer))
    socket.on('error', error => {
      why = error.message
    })
    this.closed = new Promise(resolve => {
      socket.on('close', () => {
        this.inbox.close(new Error(why))
        resolve(why)
      })
    })
  }

  /** Connects. The connection is not half-open: when the target sends its FIN, ours follows. */
  static connect({ host, port }: PortalAddress): Promise<Wire> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, noDelay: true })
      socket.setTimeout(CONNECT_MS, () => socket.destroy(new Error(`no connection within ${CONNECT_MS} ms`)))
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.setTimeout(0)
        socket.off('error', reject)
        resolve(new Wire(socket))
      })
    })
  }

  /** Bytes that went out, or would have but for a cut. */
  get sentBytes(): number {
    return this.#sentBytes
  }

  get over(): boolean {
    return this.#socket.destroyed
  }

  /** Local port, by which the server's log names this connection. */
  get localPort(): number {
    return this.#socket.localPort ?? 0
  }

  /** Both ways, from the next PDU on. */
  setDigests(digests: Digests): void {
    this.#digests = digests
    this.#reader.setDigests(digests)
  }

  /** Sends one PDU: 48 bytes of header, whose lengths are filled in, and data, padded here. */
  send(header: Buffer, data?: Buffer): void {
    let bytes = wholePdu(header, data, this.#digests)
    if (this.corruptNext) bytes = this.corruptNext(bytes)
    this.corruptNext = undefined
    this.sendRaw(bytes)
  }

  sendRaw(bytes: Buffer): void {
    const before = this.#sentBytes
    this.#sentBytes += bytes.length
    if (this.#socket.destroyed || this.#socket.writableEnded) return
    if (!this.#cut || this.#sentBytes < this.#cut.after) {
      this.#socket.write(bytes)
      return
    }
    const { ending, after } = this.#cut
    this.#socket.write(bytes.subarray(0, Math.max(0, after - before)), () => void this.end(ending))
  }

  /** What `send` sends goes out as one piece: who receives it meets all of it, however slow this side is. */
  together<T>(send: () => T): T {
    this.#socket.cork()
    try {
      return send()
    } finally {
      this.#socket.uncork()
    }
  }

  /** Ends the connection as soon as `after` bytes in all have been sent. */
  cutAfter(after: number, ending: Ending): void {
    this.#cut = { after, ending }
    if (this.#sentBytes >= after) void this.end(ending)
  }

  /** FIN, or RST and all that was on its way is lost. Resolves when the connection is over on this side. */
  async end(ending: Ending = 'fin'): Promise<void> {
    if (ending === 'reset') this.#socket.resetAndDestroy()
    else this.#socket.end()
    await this.closed
  }

  /** Stops reading: the target's data stays in the kernels' buffers. */
  stopReading(): void {
    this.#socket.pause()
  }

  goOnReading(): void {
    this.#socket.resume()
  }

  #received(chunk: Buffer): void {
    try {
      this.#reader.push(chunk)
      for (let pdu = this.#reader.next(); pdu; pdu = this.#reader.next()) {
        this.inbox.deliver(pdu, { keep: this.onPdu?.(pdu) === undefined })
      }
    } catch (error) {
      this.#socket.destroy(error as Error)
    }
  }
}
