/**
 * Has another process answer a request that came to this one: what waited while the server was handed over. The address of the client goes along as a proxy on this
 * machine tells it. A process that cannot be reached is told as if this one were about to stop.
 */
import { request as send } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Problem } from './problem.js'

const EVERYWHERE: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' }

/** Where the other process listens, by what the socket is bound to. */
export interface ForwardTo {
  readonly host: string
  readonly port: number
}

/** Sends the request there, and the answer back; settles when that is under way. Rejects with `Problem` when nobody is there. Nothing of the body may have been read. */
export function forward(request: FastifyRequest, reply: FastifyReply, { host, port }: ForwardTo): Promise<void> {
  const { method, url, headers } = request.raw
  const known = headers['x-forwarded-for']
  const client = request.raw.socket.remoteAddress
  return new Promise((resolve, reject) => {
    const outgoing = send({
      host: EVERYWHERE[host] ?? host,
      port,
      method,
      path: url,
      headers: { ...headers, connection: 'close', 'x-forwarded-for': known ? `${String(known)}, ${client}` : client },
    })
    outgoing.once('error', () => reject(new Problem('stopping', 'the server has just been upgraded; send it again')))
    outgoing.once('response', incoming => {
      reply.hijack()
      reply.raw.writeHead(incoming.statusCode ?? 502, { ...incoming.headers, connection: 'close' })
      incoming.once('error', () => reply.raw.destroy())
      incoming.pipe(reply.raw)
      resolve()
    })
    request.raw.pipe(outgoing)
  })
}
