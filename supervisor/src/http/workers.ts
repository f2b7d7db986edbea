/** The operator's calls for the session workers: how they are, their restart, and the end of the server. */
import { Type } from 'typebox'
import { RestartError } from '../restarts/restart-error.js'
import type { RestartReport, Restarts } from '../restarts/restarts.js'
import type { Api } from './app.js'
import type { Authentication } from './authentication.js'
import { Problem } from './problem.js'
import { problems, record } from './schemas.js'
import { type Overview, OverviewSchema } from './worker-views.js'

export interface WorkerParts {
  readonly authentication: Authentication
  readonly restarts: Pick<Restarts, 'restart'>
  readonly overview: () => Overview
  /** The server stops, as by SIGTERM; gives how long sessions have, in milliseconds. */
  readonly drain: (why: string) => number
}

const Restart = Type.Unsafe<{ worker?: number } | null>({
  type: ['object', 'null'],
  properties: {
    worker: Type.Integer({
      minimum: 0,
      maximum: Number.MAX_SAFE_INTEGER,
      description: 'number of the worker; all of them, one after the other, without it',
      'x-rule': 'must be the number of a worker, from 0',
    }),
  },
  additionalProperties: false,
})
const Report = record({
  moved: Type.Integer({ description: 'sessions that go on in another worker' }),
  dropped: Type.Integer({ description: 'sessions that were lost; the log says why' }),
  pauseMs: record(
    { median: Type.Number(), p99: Type.Number(), max: Type.Number() },
    { description: 'for how long a session that moved was not served' },
  ),
})
const Draining = record({ sessions: Type.Integer(), deadline_ms: Type.Integer() })

const common = { tags: ['admin'], security: [{ admin: [] }] }
const refusals = ['unauthenticated', 'admin-token-invalid', 'admin-disabled'] as const

export function addWorkers(app: Api, { authentication, restarts, overview, drain }: WorkerParts): void {
  const onRequest = authentication.requireAdmin

  app.get(
    '/api/admin/workers',
    {
      onRequest,
      config: { servedWhileStopping: true },
      schema: {
        ...common,
        summary: 'The session workers',
        response: { 200: OverviewSchema, ...problems(...refusals) },
      },
    },
    () => overview(),
  )

  app.post(
    '/api/admin/workers/restart',
    {
      onRequest,
      schema: {
        ...common,
        summary: 'Restart session workers one after the other; answers when it is done. Initiators do not notice',
        body: Restart,
        response: {
          200: Report,
          ...problems(
            'invalid-request',
            'worker-unknown',
            'restart-running',
            'worker-cannot-start',
            'stopping',
            ...refusals,
          ),
        },
      },
    },
    async request => {
      const worker = request.body?.worker
      return asProblem(() => restarts.restart({ ...(worker !== undefined && { worker }), reason: 'asked' }))
    },
  )

  app.post(
    '/api/admin/drain',
    {
      onRequest,
      schema: {
        ...common,
        summary: 'Stop the server, as SIGTERM does: sessions are asked to log out, then it ends',
        response: { 202: Draining, ...problems(...refusals) },
      },
    },
    async (_request, reply) => {
      const { sessions } = overview()
      const deadline = drain('asked for over HTTP')
      return reply.code(202).header('connection', 'close').send({ sessions, deadline_ms: deadline })
    },
  )
}

async function asProblem(restart: () => Promise<RestartReport>): Promise<RestartReport> {
  try {
    return await restart()
  } catch (error) {
    throw error instanceof RestartError ? new Problem(error.code, error.message) : error
  }
}
