/**
 * The listening socket. A connection is accepted paused, its descriptor duplicated, and Node's own socket object closed at
 * once: what is left is a number, which costs nothing to keep. Nothing is read here, so that a hostile peer costs its
 * actor and not the listener.
 *
 * While the server is handed over to another process, connections wait in the socket's queue: `hold` leaves it open and accepts nothing.
 *
 * What accept reports is classed by `classify`. "Out of descriptors" is met before it happens, by the cap on connections; should it
 * happen all the same, libuv accepts and closes what waits, so there is neither a busy loop nor an accept to be paused.
 */
import { createServer, type ListenOptions, type Server, type Socket } from 'node:net'
import type { Address } from '@scsipub/config'
import { dup } from '@scsipub/posix'
import type { Admission } from './admission.js'
import type { Log } from './log.js'
import { formatPeer } from './peer.js'
import type { Accepted } from './session-host.js'

export interface ListenerParts {
  readonly admission: Admission
  readonly log: Log
  /** Takes a connection, and with it the descriptor. */
  readonly take: (accepted: Accepted) => unknown
}

const BACKLOG = 1024
const KEEP_ALIVE_AFTER_MS = 30_000
/** A trouble that lasts is told of once in this time. */
const QUIET_MS = 10_000

/** Where to listen: an address to bind, or the descriptor of a socket that is bound, which becomes the listener's. */
export type ListenAt = Address | { readonly fd: number }

export class Listener {
  readonly #parts: ListenerParts
  readonly #toldAt = new Map<string, number>()
  #server: Server | undefined
  #address = ''

  private constructor(parts: ListenerParts) {
    this.#parts = parts
  }

  /** Listens; rejects with a line that a person can act on. */
  static async open(at: ListenAt, parts: ListenerParts): Promise<Listener> {
    const listener = new Listener(parts)
    await listener.#listen(at)
    return listener
  }

  /** Where it listens, as `ip:port`. */
  get address(): string {
    return this.#address
  }

  /** Stops accepting; sessions that there are do not notice. */
  close(): void {
    this.#server?.close()
    this.#server = undefined
  }

  /** Accepts nothing until `resume`; the value is a descriptor of the socket, by which it stays open: the caller's to close. */
  hold(): number {
    const fd = this.#server && descriptorOf(this.#server)
    if (fd === undefined) throw new Error('the listener is closed')
    const held = dup(fd)
    this.close()
    return held
  }

  /** Goes on accepting, from the descriptor that `hold` gave, which becomes the listener's. */
  resume(fd: number): Promise<void> {
    return this.#listen({ fd })
  }

  async #listen(at: ListenAt): Promise<void> {
    const server = createServer({
      pauseOnConnect: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_AFTER_MS,
    })
    await listening(server, { ...at, backlog: BACKLOG }, 'listen.iscsi')
    server.on('connection', socket => this.#accept(socket))
    server.on('error', (error: NodeJS.ErrnoException) => this.#acceptFailed(error))
    this.#server = server
    this.#address = addressOf(server)
  }

  #accept(socket: Socket): void {
    socket.on('error', () => {}) // it is about to be destroyed in any case
    const { remoteAddress, remotePort, localAddress, localPort } = socket
    const fd = descriptorOf(socket)
    try {
      if (!remoteAddress || !remotePort || !localAddress || !localPort || fd === undefined) return // it has gone already
      if (!this.#parts.admission.connect(remoteAddress)) {
        this.#tell('connection.refused', { remote: remoteAddress, why: 'too many connections' })
        return
      }
      this.#hand(fd, remoteAddress, {
        remoteAddress: formatPeer(remoteAddress, remotePort),
        localAddress: formatPeer(localAddress, localPort),
      })
    } finally {
      socket.destroy()
    }
  }

  #hand(fd: number, peerAddress: string, names: Pick<Accepted, 'remoteAddress' | 'localAddress'>): void {
    let own: number
    try {
      own = dup(fd)
    } catch (error) {
      this.#parts.admission.disconnect(peerAddress)
      this.#acceptFailed(error as NodeJS.ErrnoException)
      return
    }
    this.#parts.take({ fd: own, peerAddress, ...names })
  }

  #acceptFailed(error: NodeJS.ErrnoException): void {
    const kind = classify(error.code)
    if (kind === 'peer') this.#parts.log.debug({ event: 'accept.failed', code: error.code })
    else
      this.#tell(kind === 'exhausted' ? 'accept.exhausted' : 'accept.failed', {
        code: error.code,
        error: error.message,
      })
  }

  #tell(event: string, fields: object): void {
    const now = performance.now()
    if (now - (this.#toldAt.get(event) ?? Number.NEGATIVE_INFINITY) < QUIET_MS) return
    this.#toldAt.set(event, now)
    this.#parts.log.warn({ event, ...fields })
  }
}

/** Whose trouble an error of accept(2) is: the peer's that has gone, this machine's that has run out of something, or unknown. */
export function classify(code: string | undefined): 'peer' | 'exhausted' | 'unknown' {
  switch (code) {
    case 'ECONNABORTED':
    case 'ECONNRESET':
    case 'EPROTO':
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'ENETDOWN':
      return 'peer'
    case 'EMFILE':
    case 'ENFILE':
    case 'ENOBUFS':
    case 'ENOMEM':
      return 'exhausted'
    default:
      return 'unknown'
  }
}

/** Has the server listen; rejects with a line that a person can act on. `key`: where the configuration has the address. */
export function listening(server: Server, options: ListenOptions & ListenAt, key: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException) =>
      reject(
        new Error(
          'fd' in options
            ? `cannot listen on the socket that was given for ${key}: ${error.message}`
            : listenFault(formatPeer(options.host, options.port), error, key),
          { cause: error },
        ),
      )
    server.once('error', failed)
    server.listen(options, () => {
      server.off('error', failed)
      resolve()
    })
  })
}

/** Where the server listens, as `ip:port`. */
export function addressOf(server: Server): string {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('this is no listening socket of TCP')
  return formatPeer(address.address, address.port)
}

/** The line that says why nothing can listen on `address`, which the configuration has at `key`. */
export function listenFault(address: string, { code, message }: NodeJS.ErrnoException, key: string): string {
  const hints: Record<string, string> = {
    EADDRINUSE: `the port is taken; stop the other server or change ${key}`,
    EACCES: 'not permitted; choose a port above 1023 or run with CAP_NET_BIND_SERVICE',
    EADDRNOTAVAIL: `this machine does not have that address; change ${key}`,
    ENOTFOUND: `there is no host of that name; change ${key}`,
  }
  return `cannot listen on ${address}: ${hints[code ?? ''] ?? message}`
}

/** The number of a socket's descriptor, which Node keeps in an undocumented place. */
export function descriptorOf(socket: Socket | Server): number | undefined {
  const { _handle: handle } = socket as unknown as { _handle?: { fd?: number } | null }
  return handle?.fd !== undefined && handle.fd >= 0 ? handle.fd : undefined
}
