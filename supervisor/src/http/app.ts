/**
 * The HTTP application without its calls: fastify with our limits, our validation, problems for whatever fails, and one line of log a request.
 * The calls are in `calls.ts`.
 *
 * Left out: TLS, which a proxy does; the address of a client is taken from `X-Forwarded-For` when the proxy is on this machine.
 */
import swagger from '@fastify/swagger'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { type FastifyBaseLogger, type FastifyInstance, fastify, LogController } from 'fastify'
import type { Log } from '../log.js'
import { refuseConnection, routeOf, sendFailure } from './failures.js'
import { forward } from './forward.js'
import {
  HEADERS_TIMEOUT_MS,
  KEEP_ALIVE_MS,
  MAX_BODY_BYTES,
  MAX_CONNECTIONS,
  MAX_HEADER_BYTES,
  MAX_PARAM_LENGTH,
  REQUEST_TIMEOUT_MS,
  TIMEOUT_CHECK_MS,
} from './limits.js'
import { addWithRefusals } from './methods.js'
import { documentOptions } from './openapi.js'
import { Problem } from './problem.js'
import type { RequestGate } from './request-gate.js'
import { NAMED } from './schemas.js'
import { compileRequestSchema } from './validation.js'

/** Fastify, with handlers typed by their schemas. */
export type Api = ReturnType<typeof bare>

/** Makes the application; `addCalls` registers what it answers, and every request goes through the gate. */
export async function createApp(log: Log, addCalls: (app: Api) => void, gate?: RequestGate): Promise<Api> {
  const app = bare(log)
  app.setValidatorCompiler(compileRequestSchema)
  app.setErrorHandler((error, request, reply) => sendFailure(error, request, reply, log))
  app.setNotFoundHandler(() => {
    throw new Problem('not-found', 'the calls are described at /api/openapi.json')
  })
  takeJsonOnly(app)
  for (const schema of NAMED) app.addSchema(schema)
  app.addHook('onRequest', async (request, reply) => {
    if (request.routeOptions.config.outlastsHandOver) return
    const to = await gate?.enter(left => (reply.raw.closed ? left() : reply.raw.once('close', left)))
    if (to) await forward(request, reply, to)
  })
  refuseWhenStopping(app, gate) // after the gate: a listener that is held does not listen either
  app.addHook('onResponse', async (request, reply) => {
    const { method, id: requestId } = request
    const ms = Math.round(reply.elapsedTime)
    log.debug({ event: 'http.request', requestId, method, route: routeOf(request), status: reply.statusCode, ms })
  })
  await app.register(swagger, documentOptions)
  await app.register(async (scope: FastifyInstance) => {
    addWithRefusals(scope.withTypeProvider<TypeBoxTypeProvider>(), addCalls)
  })
  app.server.maxConnections = MAX_CONNECTIONS
  await app.ready()
  return app
}

function bare(log: Log) {
  return fastify({
    loggerInstance: warningsOf(log),
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    return503OnClosing: false, // in its words; `refuseWhenStopping` has ours
    keepAliveTimeout: KEEP_ALIVE_MS,
    http: {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
    },
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    trustProxy: 'loopback',
    clientErrorHandler: refuseConnection,
    frameworkErrors: (error, request, reply) => void sendFailure(error, request, reply as never, log),
  }).withTypeProvider<TypeBoxTypeProvider>()
}

/** What fastify itself has to say, without its news of every request. */
function warningsOf(log: Log): FastifyBaseLogger {
  return log.child({ event: 'http.warning' }, { level: log.isLevelEnabled('warn') ? 'warn' : 'silent' })
}

/** Nothing is begun any more, and nothing at all by who has a connection still when the listener is closed. */
function refuseWhenStopping(app: Api, gate: RequestGate | undefined): void {
  app.addHook('onRequest', async request => {
    const refused = gate?.stopping && !request.routeOptions.config.servedWhileStopping
    if (refused || !app.server.listening)
      throw new Problem('stopping', 'nothing is begun any more', { headers: { connection: 'close' } })
  })
}

/** Bodies are JSON. One of no bytes is no body: many clients send the type with every request. */
function takeJsonOnly(app: Api): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined)
    else parse(request, body as string, done)
  })
}
