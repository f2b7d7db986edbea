/** The listening socket of HTTP, and the application behind it. */
import type { Address } from '@scsipub/config'
import { listenFault } from '../listener.js'
import type { Log } from '../log.js'
import { formatPeer } from '../peer.js'
import { type Api, createApp } from './app.js'
import { addCalls, type CallParts } from './calls.js'

export interface HttpParts extends CallParts {
  readonly log: Log
}

/** How long requests may take to end by themselves when the server stops. */
const DRAIN_MS = 3_000

export class HttpListener {
  readonly #app: Api
  readonly #streams: CallParts['streams']
  #closed: Promise<void> | undefined

  private constructor(app: Api, streams: CallParts['streams']) {
    this.#app = app
    this.#streams = streams
  }

  /** Listens; rejects with a line that a person can act on. */
  static async open({ host, port }: Address, parts: HttpParts): Promise<HttpListener> {
    const app = await createApp(parts.log, calls => addCalls(calls, parts))
    try {
      await app.listen({ host, port, listenTextResolver: () => '' })
    } catch (error) {
      await app.close()
      const why = listenFault(formatPeer(host, port), error as NodeJS.ErrnoException, 'listen.http')
      throw new Error(why, { cause: error })
    }
    return new HttpListener(app, parts.streams)
  }

  /** Where it listens, as `ip:port`. */
  get address(): string {
    const address = this.#app.server.address()
    if (address === null || typeof address === 'string') throw new Error('the listener is closed')
    return formatPeer(address.address, address.port)
  }

  /** No new connection; requests that are under way go on. */
  stopAccepting(): void {
    this.#closed ??= this.#app.close()
  }

  /** Settles when no request is under way; those that take too long are cut off. */
  async close(): Promise<void> {
    this.stopAccepting()
    this.#streams.close()
    const cut = setTimeout(() => this.#app.server.closeAllConnections(), DRAIN_MS)
    await this.#closed
    clearTimeout(cut)
  }
}
