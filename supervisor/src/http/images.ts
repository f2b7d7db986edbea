/** Private images: a LUN as it was at a moment, which disks of the same account can begin as. The catalog lists them. */
import { MAX_LUNS } from '@scsipub/config'
import { Type } from 'typebox'
import type { Api } from './app.js'
import { withProblems } from './lease-problems.js'
import { Problem } from './problem.js'
import { ById, ImageSchema, Label, named, problems, record } from './schemas.js'
import { leaseAccount, ownLease, type SessionParts } from './sessions.js'

const Snapshot = record({
  name: Label,
  lun: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: MAX_LUNS - 1,
      description: 'the lowest LUN unless told',
      'x-rule': `must be a whole number from 0 to ${MAX_LUNS - 1}`,
    }),
  ),
})

const security = [{ key: [] }]
const refusals = ['unauthenticated', 'key-invalid', 'store-unavailable'] as const

export function addImages(app: Api, parts: SessionParts): void {
  const { authentication, leases } = parts
  const onRequest = authentication.requireAccount

  app.post(
    '/api/sessions/:id/snapshot',
    {
      onRequest,
      schema: {
        tags: ['sessions'],
        security,
        summary: 'Keep a LUN as it is at this moment, as a private image',
        description: 'Disks that begin as the image share its blocks. It counts towards the bytes of the tier.',
        params: ById,
        body: Snapshot,
        response: {
          201: named(ImageSchema),
          ...problems('invalid-request', ...refusals, 'quota-exceeded', 'session-unknown', 'lun-unknown', 'busy'),
          ...problems('out-of-space'),
        },
      },
    },
    async (request, reply) => {
      const { id } = ownLease(parts, request)
      const { limits } = leaseAccount(parts, authentication.account(request))
      const { accountId: _, ...image } = await withProblems(() => leases.snapshot(id, request.body, limits))
      const { sizeBytes, createdAt, ...rest } = image
      return reply.code(201).send({ ...rest, size_bytes: sizeBytes, created_at: createdAt })
    },
  )

  app.delete(
    '/api/images/:id',
    {
      onRequest,
      schema: {
        tags: ['catalog'],
        security,
        summary: 'Remove a private image that no disk stands on',
        params: ById,
        response: { 204: Type.Null(), ...problems(...refusals, 'not-found', 'image-in-use', 'busy') },
      },
    },
    async (request, reply) => {
      const account = authentication.account(request).id
      const { id } = request.params
      if (!leases.images(account).some(image => image.id === id))
        throw new Problem('not-found', 'you have no image with this id')
      await withProblems(() => leases.removeImage(account, id))
      return reply.code(204).send(null)
    },
  )
}
