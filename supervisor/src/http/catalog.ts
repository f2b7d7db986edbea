/** The catalog: what a disk can begin as. Anybody may read it; who shows a key sees private images too. */
import { Type } from 'typebox'
import type { Catalog } from '../catalog.js'
import type { Leases } from '../leases/leases.js'
import type { TargetDirectory } from '../targets.js'
import type { Api } from './app.js'
import type { Authentication } from './authentication.js'
import { problems, record } from './schemas.js'

export interface CatalogParts {
  readonly authentication: Authentication
  readonly catalog: Pick<Catalog, 'images'>
  readonly directory: Pick<TargetDirectory, 'find'>
  readonly leases: Leases
  readonly blankBytes: number
  readonly iqnPrefix: string
}

const Entry = record({
  image: Type.String({ description: 'what POST /api/sessions takes for it' }),
  title: Type.String(),
  size_bytes: Type.Integer(),
  iqn: Type.Optional(Type.String({ description: 'target of the free tier that has it' })),
  private: Type.Boolean({ description: 'it is your own, and nobody else sees it' }),
})

export function addCatalog(app: Api, parts: CatalogParts): void {
  const { authentication, leases, catalog, directory, blankBytes, iqnPrefix } = parts
  /** An operator's target hides the free one of the same name. */
  const free = (name: string) => {
    const iqn = `${iqnPrefix}:${name}`
    return directory.find(iqn)?.private ? { iqn } : {}
  }

  app.get(
    '/api/catalog',
    {
      onRequest: authentication.allowAccount,
      schema: {
        tags: ['catalog'],
        security: [{}, { key: [] }],
        summary: 'List the images',
        response: { 200: record({ images: Type.Array(Entry) }), ...problems('key-invalid', 'store-unavailable') },
      },
    },
    async request => {
      const account = authentication.accountIfAny(request)
      const own = (account ? leases.images(account.id) : []).map(({ id, name, sizeBytes }) => {
        return { image: id, title: name, size_bytes: sizeBytes, private: true }
      })
      const publicImages = [...catalog.images().values()].map(({ name, title, sizeBytes }) => ({
        image: name,
        title,
        size_bytes: sizeBytes,
        ...free(name),
        private: false,
      }))
      const blank = {
        image: 'blank',
        title: 'Blank disk',
        size_bytes: blankBytes,
        ...free('blank'),
        private: false,
      }
      return { images: [blank, ...publicImages, ...own] }
    },
  )
}
