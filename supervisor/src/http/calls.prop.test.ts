/** Whatever is sent to the calls that take a body: never a failure of the server, and every refusal is a problem document. */
import fc from 'fast-check'
import t from 'tap'
import { ADMIN_TOKEN, type Answer, call } from '../fixtures/http-calls.js'
import { start } from '../fixtures/steps.js'
import { PROBLEMS } from './problem.js'

const TIERS = { paid: { maxSessions: 4, maxBytes: 65_536, ttlSeconds: 60 } }
const env = { SCSIPUB_ADMIN_TOKEN: ADMIN_TOKEN, SCSIPUB_TIERS: JSON.stringify(TIERS) }
const server = start(t, { env })
const at = await server.api()
const admin = ADMIN_TOKEN
const { api_key: token } = (await call(at, 'POST /api/admin/accounts', { token: admin, body: { name: 'fuzz' } })).body
const { id } = (await call(at, 'POST /api/sessions', { token, body: { size_bytes: 512 } })).body

const value = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.integer({ min: -1, max: 130 }).map(blocks => blocks * 512),
  fc.constantFrom('blank', 'none', '', 'x'.repeat(300), '../x', '\u0000', '__proto__', 2 ** 43, 1e300, -0),
)
const keys = fc.constantFrom(
  'image',
  'images',
  'luns',
  'size_bytes',
  'ttl_seconds',
  'name',
  'tier',
  'lun',
  'worker',
  '__proto__',
  'constructor',
)
const object = fc.array(fc.tuple(keys, value), { maxLength: 4 }).map(pairs => Object.fromEntries(pairs))
const lunList = fc.record({ luns: fc.array(fc.oneof(object, value), { maxLength: 5 }) })
const body = fc.oneof(
  object,
  lunList,
  value,
  fc.string({ unit: 'binary' }),
  fc.tuple(fc.json(), fc.nat(40)).map(([text, at]) => text.slice(0, at)),
)

function isInOrder({ status, headers, body }: Answer): boolean {
  if (status < 400) return true
  const known = Object.hasOwn(PROBLEMS, body?.code) && PROBLEMS[body.code as keyof typeof PROBLEMS][0] === status
  return known && status < 500 && /^application\/problem\+json/.test(headers.get('content-type') ?? '')
}

const CALLS: [what: string, token: string][] = [
  ['POST /api/sessions', token],
  [`POST /api/sessions/${id}/luns`, token],
  ['POST /api/admin/accounts', admin],
  ['POST /api/admin/workers/restart', admin],
]
for (const [what, token] of CALLS) {
  t.test(`${what.replace(id, ':id')} takes or refuses any body`, async t => {
    const statuses = new Set<number>()
    await fc.assert(
      fc.asyncProperty(body, async body => {
        const answer = await call(at, what, { token, body })
        statuses.add(answer.status)
        if (!isInOrder(answer)) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`)
        if (answer.status === 201 && what === 'POST /api/sessions') {
          const gone = await call(at, `DELETE /api/sessions/${answer.body.id}`, { token })
          if (gone.status !== 204) throw new Error(`removal: ${gone.status}`)
        }
      }),
      { numRuns: 120 },
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
