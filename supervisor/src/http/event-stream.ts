/** `GET /api/admin/events`: the server's events as they happen, see `EventStreams`. */
import { Type } from 'typebox'
import type { EventStreams } from '../events/event-streams.js'
import type { Api } from './app.js'
import type { Authentication } from './authentication.js'
import { Problem } from './problem.js'
import { problems } from './schemas.js'

export interface EventParts {
  readonly authentication: Authentication
  readonly streams: EventStreams
}

const STREAM = {
  description:
    'server-sent events; `data` is the line of the log as JSON, `event` its name. Last-Event-ID is honoured.',
  content: { 'text/event-stream': { schema: Type.String() } },
}
const refusals = ['unauthenticated', 'admin-token-invalid', 'admin-disabled', 'too-many-streams'] as const

export function addEventStream(app: Api, { authentication, streams }: EventParts): void {
  app.get(
    '/api/admin/events',
    {
      config: { outlastsHandOver: true },
      onRequest: authentication.requireAdmin,
      schema: {
        tags: ['admin'],
        security: [{ admin: [] }],
        summary: 'Watch what happens, as it happens',
        response: { 200: STREAM, ...problems(...refusals) },
      },
    },
    async (request, reply) => {
      if (streams.isFull) throw new Problem('too-many-streams', 'others watch already; try again when one has gone')
      const seen = request.headers['last-event-id']
      reply.hijack()
      streams.serve(reply.raw, typeof seen === 'string' ? seen : undefined)
    },
  )
}
