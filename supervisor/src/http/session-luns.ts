/** The calls of an account for the LUNs of a session. They may change while initiators are attached, who are told. */
import { Type } from 'typebox'
import type { Api } from './app.js'
import { withProblems } from './lease-problems.js'
import { Problem } from './problem.js'
import { ById, named, problems, record, SessionSchema, SizeBytes } from './schemas.js'
import { sessionOf } from './session-views.js'
import { LunBody, lunWish } from './session-wish.js'
import { leaseAccount, ownLease, type SessionParts } from './sessions.js'

/** Text that is no number names no LUN. */
const LunPath = record({ id: Type.String(), lun: Type.String() })

const common = { tags: ['sessions'], security: [{ key: [] }] }
const refusals = ['unauthenticated', 'key-invalid', 'session-unknown', 'busy', 'store-unavailable'] as const
const wishRefusals = ['invalid-request', 'quota-exceeded', 'out-of-space'] as const

export function addSessionLuns(app: Api, parts: SessionParts): void {
  const { authentication, leases, portal } = parts
  const onRequest = authentication.requireAccount

  app.post(
    '/api/sessions/:id/luns',
    {
      onRequest,
      schema: {
        ...common,
        summary: 'Add a LUN, at the lowest number that is free',
        params: ById,
        body: LunBody,
        response: {
          201: named(SessionSchema),
          ...problems(...refusals, ...wishRefusals, 'image-unknown', 'size-invalid', 'too-many-luns'),
        },
      },
    },
    async (request, reply) => {
      const { id } = ownLease(parts, request)
      const { limits } = leaseAccount(parts, authentication.account(request))
      const wish = lunWish(request.body, parts.blankBytes)
      const lease = await withProblems(() => leases.addLun(id, wish, limits))
      return reply.code(201).send(sessionOf(lease, request, portal()))
    },
  )

  app.delete(
    '/api/sessions/:id/luns/:lun',
    {
      onRequest,
      schema: {
        ...common,
        summary: 'Remove a LUN and all that is on it',
        description: 'The last LUN stays: remove the session instead.',
        params: LunPath,
        response: { 200: named(SessionSchema), ...problems(...refusals, 'lun-unknown') },
      },
    },
    async request => {
      const { id } = ownLease(parts, request)
      const lease = await withProblems(() => leases.removeLun(id, lunOf(request.params)))
      return sessionOf(lease, request, portal())
    },
  )

  app.patch(
    '/api/sessions/:id/luns/:lun',
    {
      onRequest,
      schema: {
        ...common,
        summary: 'Make a LUN larger, while it is in use too',
        description: 'Initiators are told that its capacity has changed. A LUN never shrinks.',
        params: LunPath,
        body: record({ size_bytes: SizeBytes }),
        response: {
          200: named(SessionSchema),
          ...problems(...refusals, ...wishRefusals, 'lun-unknown', 'size-invalid'),
        },
      },
    },
    async request => {
      const { id } = ownLease(parts, request)
      const { limits } = leaseAccount(parts, authentication.account(request))
      const { size_bytes: sizeBytes } = request.body
      const lease = await withProblems(() => leases.resizeLun(id, lunOf(request.params), sizeBytes, limits))
      return sessionOf(lease, request, portal())
    },
  )
}

function lunOf({ lun }: { lun: string }): number {
  if (!/^(0|[1-9][0-9]{0,2})$/.test(lun)) throw new Problem('lun-unknown', 'the session has no such LUN')
  return Number(lun)
}
