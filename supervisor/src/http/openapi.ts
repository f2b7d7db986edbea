/** The OpenAPI document: made by @fastify/swagger from the schemas that the calls validate with, served at /api/openapi.json. */
import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import { Type } from 'typebox'
import type { Api } from './app.js'

export const documentOptions: FastifyDynamicSwaggerOptions = {
  openapi: {
    openapi: '3.1.0',
    info: {
      title: 'scsipub',
      version: '1',
      description:
        'Disks over iSCSI: sessions are targets of your own, with CHAP credentials, up to 256 LUNs and a time to live. ' +
        'Whatever is refused is told as application/problem+json with a stable `code`.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/', description: 'this server' }],
    tags: [
      { name: 'sessions', description: 'disks of an account' },
      { name: 'catalog', description: 'images that disks can begin as' },
      { name: 'admin', description: 'for the operator' },
      { name: 'health', description: 'for whoever watches the server' },
    ],
    components: {
      securitySchemes: {
        key: { type: 'http', scheme: 'bearer', description: 'the API key of an account' },
        admin: { type: 'http', scheme: 'bearer', description: '`admin.token` of the configuration' },
      },
    },
  },
  refResolver: { buildLocalReference: (json, _base, _fragment, index) => String(json.$id ?? `schema${index}`) },
}

/** Adds the call that gives the document. */
export function addDocument(app: Api): void {
  const schema = { hide: true, response: { 200: Type.Unknown() } }
  app.get('/api/openapi.json', { schema }, async (_request, reply) => reply.send(app.swagger()))
}
