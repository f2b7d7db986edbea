/**
 * Requests over a MessagePort: exactly one reply a request, and a failure for all that are open when the other side is
 * gone. The two classes know nothing of what is asked; schemas come from the caller.
 */
import type { MessagePort, Worker } from 'node:worker_threads'
import Ajv, { type JTDDataType, type ValidateFunction } from 'ajv/dist/jtd.js'

type Port = Pick<MessagePort | Worker, 'postMessage'>

/** A request that failed on the other side, with a code that callers may act on. */
export class RpcError extends Error {
  readonly code: string
  constructor(code: string, why: string) {
    super(why)
    this.name = 'RpcError'
    this.code = code
  }
}

const replySchema = {
  properties: { id: { type: 'uint32' }, ok: { type: 'boolean' } },
  optionalProperties: { value: {}, code: { type: 'string' }, why: { type: 'string' } },
} as const
type Reply = JTDDataType<typeof replySchema>

// Our own schemas are checked by the compiler; to check them against the meta-schema costs each thread half a second.
const ajv = new (Ajv as unknown as typeof Ajv.default)({ meta: false, validateSchema: false })
const isReply = ajv.compile<Reply>(replySchema)

/** Compiles a JTD schema to a validator; the type parameter is the schema's own data type. */
export function compileSchema<T>(schema: object): ValidateFunction<T> {
  return ajv.compile<T>(schema)
}

/** Text of what a validator found, all faults in one line. */
export function faults(validate: ValidateFunction): string {
  return (validate.errors ?? []).map(e => `${e.instancePath || '/'} ${e.message ?? 'is wrong'}`).join('; ')
}

interface Open {
  /** What was sent, to be sent again to another that takes the place of the one who was asked; undefined when it took something along. */
  readonly message: object | undefined
  resolve(value: unknown): void
  reject(error: Error): void
}

/** The asking side. `Replies` maps a request's kind to the value that answers it. */
export class Requester<Request extends { kind: string; id: number }, Replies> {
  #port: Port
  readonly #open = new Map<number, Open>()
  #next = 1
  #gone: Error | undefined

  constructor(port: Port) {
    this.#port = port
  }

  /** Sends a request and waits for its reply. Rejects with `RpcError` when it failed there or the other side is gone. */
  ask<K extends Request['kind'] & keyof Replies>(
    request: Omit<Extract<Request, { kind: K }>, 'id' | 'again'> & { kind: K },
    transfer: readonly (MessagePort | ArrayBuffer)[] = [],
  ): Promise<Replies[K]> {
    if (this.#gone) return Promise.reject(this.#gone)
    const id = this.#next
    this.#next = (this.#next % 0xffffffff) + 1
    return new Promise((resolve, reject) => {
      const message = { ...request, id }
      const repeatable = transfer.length === 0 ? message : undefined
      this.#open.set(id, { message: repeatable, resolve: resolve as (value: unknown) => void, reject })
      this.#port.postMessage(message, transfer)
    })
  }

  /**
   * Goes on with another side that has taken the place of the one before, which is dead and whose replies have all been accepted. The function that it returns
   * asks again, with `again`, what was open by then. What had taken a port along cannot be asked again and fails.
   */
  connect(port: Port): () => void {
    this.#port = port
    const open = [...this.#open]
    return () => {
      for (const [id, { message, reject }] of open) {
        if (message) port.postMessage({ ...message, again: true })
        else {
          this.#open.delete(id)
          reject(new RpcError('gone', 'the other side has ended'))
        }
      }
    }
  }

  /** Takes a message that may be a reply; false when it is something else. */
  accept(message: unknown): boolean {
    if (!isReply(message)) return false
    const open = this.#open.get(message.id)
    this.#open.delete(message.id)
    if (message.ok) open?.resolve(message.value)
    else open?.reject(new RpcError(message.code ?? 'failed', message.why ?? 'the request failed'))
    return true
  }

  /** Fails every open request and all later ones: the other side is gone. */
  fail(why: string): void {
    this.#gone = new RpcError('gone', why)
    for (const open of this.#open.values()) open.reject(this.#gone)
    this.#open.clear()
  }
}

/**
 * The answering side: validates the request, runs the handler and posts its one reply. A request that does not fit the schema is a
 * bug of ours; it throws.
 */
export function answer<Request extends { id: number }>(
  port: Port,
  validate: ValidateFunction<Request>,
  handle: (request: Request) => Promise<unknown> | unknown,
): (message: unknown) => void {
  return message => {
    if (!validate(message)) throw new Error(`message does not fit the contract: ${faults(validate)}`)
    const { id } = message
    const good = (value: unknown) => port.postMessage({ id, ok: true, value })
    const bad = (error: unknown) => {
      const code = error instanceof RpcError ? error.code : 'failed'
      port.postMessage({ id, ok: false, code, why: error instanceof Error ? error.message : String(error) })
    }
    try {
      const value = handle(message)
      if (value instanceof Promise) value.then(good, bad)
      else good(value)
    } catch (error) {
      bad(error)
    }
  }
}
