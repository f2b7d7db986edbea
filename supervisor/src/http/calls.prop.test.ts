/** Whatever is sent to the calls that take a body: never a failure of the server, and every refusal is a problem document. */
import fc from 'fast-check'
import t from 'tap'
import { anyBody, isInOrder } from '../fixtures/any-body.js'
import { ADMIN_TOKEN, call } from '../fixtures/http-calls.js'
import { start } from '../fixtures/steps.js'

const TIERS = { paid: { maxSessions: 4, maxBytes: 65_536, ttlSeconds: 86_400 } }
const env = { SCSIPUB_ADMIN_TOKEN: ADMIN_TOKEN, SCSIPUB_TIERS: JSON.stringify(TIERS) }
const server = start(t, { env })
const at = await server.api()
const admin = ADMIN_TOKEN
const { api_key: token } = (await call(at, 'POST /api/admin/accounts', { token: admin, body: { name: 'fuzz' } })).body
const { id } = (await call(at, 'POST /api/sessions', { token, body: { size_bytes: 512 } })).body

const CALLS: [what: string, token: string, numRuns: number][] = [
  ['POST /api/sessions', token, 120],
  [`POST /api/sessions/${id}/luns`, token, 120],
  ['POST /api/admin/accounts', admin, 120],
  ['POST /api/admin/workers/restart', admin, 40], // a body that is right takes seconds
]
for (const [what, token, numRuns] of CALLS) {
  t.test(`${what.replace(id, ':id')} takes or refuses any body`, async t => {
    const statuses = new Set<number>()
    await fc.assert(
      fc.asyncProperty(anyBody, async body => {
        const answer = await call(at, what, { token, body })
        statuses.add(answer.status)
        if (!isInOrder(answer)) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`)
        if (answer.status === 201 && what === 'POST /api/sessions') {
          const gone = await call(at, `DELETE /api/sessions/${answer.body.id}`, { token })
          if (gone.status !== 204) throw new Error(`removal: ${gone.status}`)
        }
      }),
      { numRuns },
    )
    t.ok(statuses.has(400), 'some are refused by their shape')
  })
}

t.test('any path is answered in order', async t => {
  const part = fc.oneof(
    fc.webSegment(),
    fc.constantFrom('api', 'sessions', id, 'luns', 'admin', 'accounts', '..', '%00', '%ff', '%'),
  )
  const method = fc.constantFrom('GET', 'DELETE', 'PUT', 'PATCH', 'OPTIONS')
  await fc.assert(
    fc.asyncProperty(method, fc.array(part, { maxLength: 6 }), fc.boolean(), async (method, parts, known) => {
      fc.pre(!(method === 'DELETE' && parts.includes(id)))
      const answer = await call(at, `${method} /${parts.join('/')}`, known ? { token } : {})
      if (!isInOrder(answer)) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`)
    }),
    { numRuns: 200 },
  )
  t.equal((await call(at, `GET /api/sessions/${id}`, { token })).status, 200)
})

t.test('nothing of that was an error to the server', async t => {
  t.same(
    server.log.filter(line => ['error', 'fatal'].includes(String(line['level']))),
    [],
  )
})
