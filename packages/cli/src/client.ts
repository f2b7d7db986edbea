/**
 * Calls of the HTTP API. A refusal becomes the detail of its problem document; a server that cannot be reached, or an answer that is not ours,
 * says what to look at.
 */
import { CommandFailure } from './failure.js'

export interface ClientOptions {
  /** Base address, such as `http://127.0.0.1:8080`. */
  readonly server: string
  readonly timeoutMs?: number
}

export interface CallOptions {
  readonly token?: string | undefined
  readonly body?: object | undefined
  /** How long the answer may take, where that is longer than usual. */
  readonly timeoutMs?: number
}

/** Removing a session answers when all is gone. */
const TIMEOUT_MS = 60_000

export class Client {
  readonly #server: string
  readonly #timeoutMs: number

  constructor({ server, timeoutMs = TIMEOUT_MS }: ClientOptions) {
    this.#server = server.replace(/\/+$/, '')
    this.#timeoutMs = timeoutMs
  }

  /** Calls `METHOD /path` and gives the JSON that comes back; undefined when nothing does. Throws `CommandFailure`. */
  async call<T>(what: string, { token, body, timeoutMs = this.#timeoutMs }: CallOptions = {}): Promise<T> {
    const [method = 'GET', path = '/'] = what.split(' ')
    const response = await this.#fetch(`${this.#server}${path}`, {
      method,
      headers: {
        accept: 'application/json, application/problem+json',
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(timeoutMs),
    })
    if (response.status === 204) return undefined as T
    const answer = await this.#json(response)
    if (response.ok) return answer as T
    throw refusal(answer, response.status)
  }

  async #fetch(url: string, init: RequestInit): Promise<Response> {
    try {
      return await fetch(url, init)
    } catch (error) {
      throw new CommandFailure('unreachable', `cannot reach ${this.#server}: ${reasonOf(error)}`, [
        'say where the server answers HTTP by --server URL or SCSIPUB_SERVER',
      ])
    }
  }

  async #json(response: Response): Promise<unknown> {
    const type = response.headers.get('content-type') ?? ''
    try {
      if (/^application\/(problem\+)?json\b/.test(type)) return await response.json()
    } catch {
      // not what it says to be
    }
    const what = `status ${response.status}, ${type === '' ? 'no type' : type}`
    throw new CommandFailure('unreachable', `what answers at ${this.#server} is not scsipub (${what})`)
  }
}

interface ProblemLike {
  detail?: unknown
  code?: unknown
  errors?: { detail?: unknown }[]
}

function refusal(answer: unknown, status: number): CommandFailure {
  const { detail, code, errors } = (answer ?? {}) as ProblemLike
  if (typeof detail !== 'string' || typeof code !== 'string')
    return new CommandFailure('refused', `refused with status ${status}`)
  const faults = Array.isArray(errors) ? errors.map(error => String(error?.detail)) : []
  if (faults.length > 1) return new CommandFailure('refused', `refused (${code}):`, faults)
  return new CommandFailure('refused', `${detail} (${code})`)
}

function reasonOf(error: unknown): string {
  if (error instanceof Error && error.name === 'TimeoutError') return 'no answer in time'
  const cause = error instanceof Error ? (error.cause as NodeJS.ErrnoException | undefined) : undefined
  const known: Record<string, string> = {
    ECONNREFUSED: 'nothing listens there',
    ENOTFOUND: 'there is no host of that name',
    ECONNRESET: 'the connection was closed',
    UND_ERR_SOCKET: 'the connection was closed',
  }
  return known[cause?.code ?? ''] ?? cause?.message ?? (error as Error).message
}
