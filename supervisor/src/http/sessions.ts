/** The calls of an account for its sessions: make, list, show, remove. Somebody else's session is as unknown as one that is not there. */
import type { TierConfig } from '@scsipub/config'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Account } from '../accounts/accounts.js'
import type { LeaseView } from '../leases/lease-view.js'
import type { Leases } from '../leases/leases.js'
import type { Api } from './app.js'
import type { Authentication } from './authentication.js'
import { withProblems } from './lease-problems.js'
import type { PortalFacts } from './portal.js'
import { Problem } from './problem.js'
import { ById, named, problems, record, SessionSchema, SessionSummary } from './schemas.js'
import { sessionOf, summaryOf } from './session-views.js'
import { lunWishes, placeInBody, SessionBody } from './session-wish.js'

export interface SessionParts {
  readonly authentication: Authentication
  readonly leases: Leases
  readonly tiers: Readonly<Record<string, TierConfig>>
  /** Of a blank disk that nobody gave a size. */
  readonly blankBytes: number
  /** Looked at with every call: the listener of iSCSI comes up after that of HTTP. */
  readonly portal: () => PortalFacts
}

const common = { tags: ['sessions'], security: [{ key: [] }] }
const refusals = ['unauthenticated', 'key-invalid', 'store-unavailable'] as const

/** The session of the path, if it is the caller's. */
export function ownLease({ authentication, leases }: SessionParts, request: FastifyRequest): LeaseView {
  const { id } = request.params as { id: string }
  const lease = leases.get(id)
  if (lease?.accountId !== authentication.account(request).id)
    throw new Problem('session-unknown', 'you have no session with this id')
  return lease
}

/** The account of the caller with its limits. A tier that the configuration has no more allows nothing. */
export function leaseAccount({ tiers }: SessionParts, { id, tier }: Account) {
  return { id, limits: tiers[tier] ?? { maxSessions: 0, maxBytes: 0, ttlSeconds: 1 } }
}

export function addSessions(app: Api, parts: SessionParts): void {
  const { authentication, leases, portal } = parts
  const onRequest = authentication.requireAccount

  app.post(
    '/api/sessions',
    {
      onRequest,
      schema: {
        ...common,
        summary: 'Make a session: a target of your own',
        body: SessionBody,
        response: {
          201: named(SessionSchema),
          ...problems('invalid-request', ...refusals, 'quota-exceeded', 'image-unknown', 'size-invalid', 'ttl-invalid'),
          ...problems('out-of-space'),
        },
      },
    },
    async (request, reply) => {
      const { body } = request
      const wish = {
        luns: lunWishes(body, parts.blankBytes),
        ...(body.ttl_seconds !== undefined && { ttlSeconds: body.ttl_seconds }),
        ...(body.name !== undefined && { name: body.name }),
      }
      const account = leaseAccount(parts, authentication.account(request))
      const lease = await withProblems(
        () => leases.create(account, wish),
        path => placeInBody(path, body),
      )
      return reply
        .code(201)
        .header('location', `/api/sessions/${lease.id}`)
        .send(sessionOf(lease, request, portal()))
    },
  )

  app.get(
    '/api/sessions',
    {
      onRequest,
      schema: {
        ...common,
        summary: 'List your sessions, oldest first, without their secrets',
        response: { 200: record({ sessions: Type.Array(named(SessionSummary)) }), ...problems(...refusals) },
      },
    },
    async request => {
      const own = leases.list(authentication.account(request).id)
      return { sessions: own.map(lease => summaryOf(lease, request, portal())) }
    },
  )

  app.get(
    '/api/sessions/:id',
    {
      onRequest,
      schema: {
        ...common,
        summary: 'Show a session, with its CHAP secret',
        params: ById,
        response: { 200: named(SessionSchema), ...problems(...refusals, 'session-unknown') },
      },
    },
    async request => sessionOf(ownLease(parts, request), request, portal()),
  )

  app.delete(
    '/api/sessions/:id',
    {
      onRequest,
      schema: {
        ...common,
        summary: 'Remove a session with all that is on its disks',
        description: 'iSCSI sessions that use it are ended. The call answers when all is gone.',
        params: ById,
        response: { 204: Type.Null(), ...problems(...refusals, 'session-unknown', 'busy') },
      },
    },
    async (request, reply) => {
      const { id } = ownLease(parts, request)
      await withProblems(() => leases.remove(id))
      return reply.code(204).send(null)
    },
  )
}
