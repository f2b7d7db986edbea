/**
 * Everything that fails on its way through the HTTP listener becomes a problem: what routes throw, what fastify finds wrong, what Node finds wrong
 * before there is a request. What is nobody's fault but ours is logged with its stack, and told without.
 */
import type { Socket } from 'node:net'
import { StateError } from '@scsipub/state'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import type { Log } from '../log.js'
import { MAX_BODY_BYTES, MAX_HEADER_BYTES } from './limits.js'
import { PROBLEM_TYPE, Problem } from './problem.js'
import { requestFaults } from './validation.js'

/** Sends what `error` means. */
export function sendFailure(error: unknown, request: FastifyRequest, reply: FastifyReply, log: Log): FastifyReply {
  const problem =
    error instanceof Problem
      ? error
      : error instanceof StateError
        ? storeProblem(error)
        : problemOf(error as FastifyError)
  if (problem.status === 500) {
    const stack = error instanceof Error ? error.stack : String(error)
    log.error({
      event: 'http.failed',
      requestId: request.id,
      method: request.method,
      route: routeOf(request),
      error: stack,
    })
  }
  return reply.code(problem.status).headers(problem.headers).type(PROBLEM_TYPE).send(JSON.stringify(problem.body))
}

/** The pattern of the route, never the path itself, which a stranger words. */
export function routeOf(request: FastifyRequest): string {
  return request.routeOptions.url ?? 'none'
}

/** Two who change one thing at once, or a store that is away. What exactly is wrong with it is the operator's to know, from the log. */
function storeProblem({ code }: StateError): Problem {
  if (code === 'conflict') return new Problem('busy', 'somebody else has changed it meanwhile; look again')
  return new Problem('store-unavailable', 'nothing can be looked up or changed for the moment; what is in use goes on')
}

/** What an error of fastify means; anything unknown is a bug of ours. */
function problemOf(error: FastifyError): Problem {
  if (error.validation) {
    const errors = requestFaults(error.validation)
    return new Problem('invalid-request', errors.map(({ detail }) => detail).join('; '), { errors })
  }
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new Problem('body-too-large', `at most ${MAX_BODY_BYTES} bytes are taken`, CLOSE)
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new Problem('unsupported-media-type', 'send JSON, and say so by Content-Type: application/json', CLOSE)
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
      return new Problem('invalid-json', 'the body cannot be read as JSON')
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return new Problem('malformed-http', 'the body does not have the length that Content-Length says')
    case 'FST_ERR_BAD_URL':
      return new Problem('malformed-http', 'the path cannot be decoded')
  }
  if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500)
    return new Problem('malformed-http', 'the request cannot be read')
  return new Problem('internal', 'this is our fault, and in the log of the server')
}

/** What is left of the body is not read. */
const CLOSE = { headers: { connection: 'close' } }

/** Answers what is not even a request, and closes. */
export function refuseConnection(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const { status, body } = wireProblem(error.code)
  const text = JSON.stringify(body)
  const head = [
    `HTTP/1.1 ${status} ${body.title}`,
    `Content-Type: ${PROBLEM_TYPE}`,
    `Content-Length: ${Buffer.byteLength(text)}`,
    'Connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${text}`, () => socket.destroy())
}

function wireProblem(code: string | undefined): Problem {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new Problem('headers-too-large', `at most ${MAX_HEADER_BYTES} bytes are taken`)
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new Problem('request-timeout', 'send the request in one go')
    default:
      return new Problem('malformed-http', 'the request cannot be read')
  }
}
