/** Whatever is sent to the calls for LUNs and snapshots: a change that the answer tells, or a problem document and no change at all. */
import fc from 'fast-check'
import t from 'tap'
import { anyBody, anyValue, isInOrder } from '../fixtures/any-body.js'
import { REAL_WORKER } from '../fixtures/harness.js'
import { ADMIN_TOKEN, call } from '../fixtures/http-calls.js'
import { start } from '../fixtures/steps.js'

const MAX_BYTES = 65_536
const TIERS = { paid: { maxSessions: 4, maxBytes: MAX_BYTES, ttlSeconds: 86_400 } }
const env = { SCSIPUB_ADMIN_TOKEN: ADMIN_TOKEN, SCSIPUB_TIERS: JSON.stringify(TIERS) }
const server = start(t, { env, worker: REAL_WORKER })
const at = await server.api()
const { api_key: token } = (await call(at, 'POST /api/admin/accounts', { token: ADMIN_TOKEN, body: { name: 'fuzz' } }))
  .body
const session = `/api/sessions/${(await call(at, 'POST /api/sessions', { token, body: { size_bytes: 512 } })).body.id}`

interface Luns {
  lun: number
  image: string
  size_bytes: number
}

/** All that the account has: LUNs and private images. */
async function holdings(): Promise<{ luns: Luns[]; images: { image: string; size_bytes: number }[] }> {
  const { luns } = (await call(at, `GET ${session}`, { token })).body
  const { images } = (await call(at, 'GET /api/catalog', { token })).body
  return { luns, images: images.filter((image: { private: boolean }) => image.private) }
}

const bytesOf = (items: readonly { size_bytes: number }[]) => items.reduce((sum, { size_bytes }) => sum + size_bytes, 0)

const size = fc.oneof(
  { weight: 3, arbitrary: fc.oneof(fc.integer({ min: -1, max: 8 }), fc.constant(129)).map(n => n * 512) },
  { weight: 1, arbitrary: anyValue },
)
const lun = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 3 }).map(String) },
  { weight: 1, arbitrary: fc.constantFrom('256', '-1', '1e0', '00', '%00', ' ', '0x0', '__proto__') },
)
const CALLS: [call: fc.Arbitrary<string>, body: fc.Arbitrary<unknown>][] = [
  [fc.constant(`POST ${session}/luns`), fc.oneof(anyBody, fc.record({ size_bytes: size }))],
  [lun.map(lun => `PATCH ${session}/luns/${lun}`), fc.oneof(anyBody, fc.record({ size_bytes: size }))],
  [
    fc.constant(`POST ${session}/snapshot`),
    fc.oneof(
      anyBody,
      fc.record(
        { name: fc.oneof(fc.string(), fc.constant('a')), lun: fc.oneof(fc.nat(3), anyValue) },
        { requiredKeys: ['name'] },
      ),
    ),
  ],
  [lun.map(lun => `DELETE ${session}/luns/${lun}`), fc.oneof(anyBody, fc.constant(undefined))],
]

const any = fc.oneof(...CALLS.map(([what, body]) => fc.record({ what, body })))
const statuses = new Set<number>()

t.test('LUNs and snapshots: done and told, or refused and nothing changed', async t => {
  await fc.assert(
    fc.asyncProperty(any, async ({ what, body }) => {
      const before = await holdings()
      const answer = await call(at, what, { token, body })
      if (!isInOrder(answer)) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`)
      statuses.add(answer.status)
      const after = await holdings()
      if (answer.status >= 400) {
        if (JSON.stringify(after) !== JSON.stringify(before)) throw new Error(`${answer.status}, yet it has changed`)
        return
      }
      if (bytesOf(after.luns) + bytesOf(after.images) > MAX_BYTES) throw new Error('more than the tier has')
      if (answer.body.luns) {
        if (JSON.stringify(after.luns) !== JSON.stringify(answer.body.luns)) throw new Error('not what was answered')
      } else if (after.images.length !== before.images.length + 1) throw new Error('no image')
    }),
    { numRuns: 150 },
  )
  for (const status of [200, 201, 400, 404]) t.ok(statuses.has(status), `some are ${status}`)
})

t.test('nothing of that was an error to the server', async t => {
  t.same(
    server.log.filter(line => ['error', 'fatal'].includes(String(line['level']))),
    [],
  )
})
