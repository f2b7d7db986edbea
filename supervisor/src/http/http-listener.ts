/** The listening socket of HTTP, and the application behind it. While the server is handed over to another process, calls wait, see `RequestGate`. */
import type { AddressInfo } from 'node:net'
import { dup } from '@scsipub/posix'
import { addressOf, descriptorOf, type ListenAt, listenFault, listening } from '../listener.js'
import type { Log } from '../log.js'
import { formatPeer } from '../peer.js'
import { type Api, createApp } from './app.js'
import { addCalls, type CallParts } from './calls.js'
import type { ForwardTo } from './forward.js'
import { RequestGate } from './request-gate.js'

export interface HttpParts extends CallParts {
  readonly log: Log
}

/** How long requests may take to end by themselves when the server stops. */
const DRAIN_MS = 3_000
const LOOPBACK = '127.0.0.1'

export class HttpListener {
  readonly #app: Api
  readonly #gate: RequestGate
  readonly #streams: CallParts['streams']
  #closed: Promise<void> | undefined
  #boundTo: ForwardTo | undefined

  private constructor(app: Api, gate: RequestGate, streams: CallParts['streams']) {
    this.#app = app
    this.#gate = gate
    this.#streams = streams
  }

  /** Listens; rejects with a line that a person can act on. */
  static async open(at: ListenAt, parts: HttpParts): Promise<HttpListener> {
    const gate = new RequestGate()
    const app = await createApp(parts.log, calls => addCalls(calls, parts), gate)
    try {
      // With a host, since fastify would listen on all addresses of the local host besides.
      await app.listen({ ...('fd' in at ? { fd: at.fd, host: LOOPBACK } : at), listenTextResolver: () => '' })
    } catch (error) {
      await app.close()
      const { message } = error as Error
      if ('fd' in at)
        throw new Error(`cannot listen on the socket that was given for listen.http: ${message}`, { cause: error })
      const why = listenFault(formatPeer(at.host, at.port), error as NodeJS.ErrnoException, 'listen.http')
      throw new Error(why, { cause: error })
    }
    return new HttpListener(app, gate, parts.streams)
  }

  /** Where it answers, as `ip:port`. */
  get address(): string {
    return addressOf(this.#app.server)
  }

  /**
   * Accepts nothing and begins no call until `resume`, and waits, within bounds, for the calls that are under way; those that have asked for it are not waited
   * for. The value is a descriptor of the socket, by which it stays open: the caller's to close.
   */
  async hold(): Promise<number> {
    const fd = descriptorOf(this.#app.server)
    if (fd === undefined) throw new Error('the listener is closed')
    const held = dup(fd)
    const { address: host, port } = this.#app.server.address() as AddressInfo
    this.#boundTo = { host, port }
    this.#app.server.close() // and with it the connections that nothing is asked on
    await this.#gate.hold(DRAIN_MS)
    return held
  }

  /** Goes on, with the descriptor that `hold` gave, which becomes the listener's. */
  async resume(fd: number): Promise<void> {
    await listening(this.#app.server, { fd }, 'listen.http')
    this.#gate.release()
  }

  /** The calls that wait are answered by another process, which listens on the same socket. */
  forwardHeld(): void {
    if (this.#boundTo) this.#gate.forward(this.#boundTo)
  }

  /** From now on calls are told that the server stops; those that are under way go on, and who watches is answered. */
  stopAccepting(): void {
    this.#gate.stopping = true
  }

  /** No new connection. Settles when no request is under way; those that take too long are cut off. */
  async close(): Promise<void> {
    this.#closed ??= this.#app.close()
    this.#streams.close()
    const cut = setTimeout(() => this.#app.server.closeAllConnections(), DRAIN_MS)
    await this.#closed
    clearTimeout(cut)
  }
}
