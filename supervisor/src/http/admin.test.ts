/** Accounts over HTTP, as an operator makes and revokes them. Real server, real store. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ADMIN_TOKEN, call, refusedWith } from '../fixtures/http-calls.js'
import { start } from '../fixtures/steps.js'

const token = ADMIN_TOKEN

const server = start(t, { env: { SCSIPUB_ADMIN_TOKEN: ADMIN_TOKEN, SCSIPUB_FREE_CAPLOOPBACK: 'true' } })
const at = await server.api()

t.test('an account is made, listed and revoked', async t => {
  const made = await call(at, 'POST /api/admin/accounts', { token, body: { name: 'Ada & söhne', tier: 'paid' } })
  t.equal(made.status, 201)
  const { id, api_key: key, ...rest } = made.body
  t.match(rest, { name: 'Ada & söhne', tier: 'paid', created_at: /^\d{4}-\d\d-\d\dT/ })
  t.match(key, new RegExp(`^scsipub_${id}_[A-Za-z0-9_-]{43}$`), '256 bits behind a prefix that scanners know')
  t.same((await call(at, 'GET /api/admin/accounts', { token })).body, { accounts: [{ id, ...rest }], damaged: [] })
  t.equal((await call(at, `DELETE /api/admin/accounts/${id}`, { token })).status, 204)
  t.same((await call(at, 'GET /api/admin/accounts', { token })).body.accounts, [])
  refusedWith(t, await call(at, `DELETE /api/admin/accounts/${id}`, { token }), 'account-unknown')
})

t.test('the key is in nothing that is kept or logged; its digest is', async t => {
  const { body } = await call(at, 'POST /api/admin/accounts', { token, body: { name: 'a' } })
  const secret = body.api_key.slice(-43)
  const stored = readFileSync(join(server.dataDir, 'state', 'data.mdb'), 'latin1')
  t.match(stored, /"keyDigest":"[0-9a-f]{64}"/)
  t.notOk(stored.includes(secret))
  t.notOk(JSON.stringify(server.log).includes(secret))
  t.notOk(JSON.stringify(server.log).includes(ADMIN_TOKEN))
  t.notOk(JSON.stringify((await call(at, 'GET /api/admin/accounts', { token })).body).includes(secret))
})

t.test('without admin.token there are no administrator calls, and the answer says what to set', async t => {
  const at = await start(t).api()
  const answer = await call(at, 'GET /api/admin/accounts', { token })
  refusedWith(t, answer, 'admin-disabled')
  t.match(answer.body.detail, /admin\.token.*SCSIPUB_ADMIN_TOKEN/)
})

t.test('administrator calls want the token, all of it', async t => {
  refusedWith(t, await call(at, 'GET /api/admin/accounts'), 'unauthenticated')
  for (const wrong of [token.slice(1), `${token}x`, 'x'])
    refusedWith(t, await call(at, 'GET /api/admin/accounts', { token: wrong }), 'admin-token-invalid')
  const basic = { headers: { authorization: `Basic ${token}` } }
  refusedWith(t, await call(at, 'GET /api/admin/accounts', basic), 'unauthenticated')
  const { body } = await call(at, 'POST /api/admin/accounts', { token, body: { name: 'a' } })
  refusedWith(t, await call(at, 'GET /api/admin/accounts', { token: body.api_key }), 'admin-token-invalid')
})

t.test('a stranger is refused before anybody reads what was sent', async t => {
  refusedWith(t, await call(at, 'POST /api/admin/accounts', { body: 'no JSON' }), 'unauthenticated')
})

t.test('wrong tokens are answered later and later', async t => {
  const took: number[] = []
  for (let attempt = 0; attempt < 4; attempt++) {
    const began = performance.now()
    refusedWith(t, await call(at, 'GET /api/admin/accounts', { token: 'wrong' }), 'admin-token-invalid')
    took.push(performance.now() - began)
  }
  t.ok((took[3] ?? 0) >= 400, `${took}`)
  const prompt: number[] = []
  for (let attempt = 0; attempt < 5; attempt++) {
    const began = performance.now()
    t.equal((await call(at, 'GET /api/admin/accounts', { token })).status, 200)
    prompt.push(performance.now() - began)
  }
  t.ok(Math.min(...prompt) < 800, `who has the right one does not wait, as the next wrong one would: ${prompt}`)
})

t.test('every fault of a body is told at once', async t => {
  const answer = await call(at, 'POST /api/admin/accounts', { token, body: { name: '', tier: 'A b', extra: 1 } })
  refusedWith(t, answer, 'invalid-request')
  t.match(answer.body.errors.map((error: { path: string }) => error.path).sort(), ['extra', 'name', 'tier'])
  t.match(answer.body.detail, /extra is not known; there are: name, tier/)
  const wrong: [unknown, RegExp][] = [
    [[], /must be object/],
    ['null', /must be object/],
    [{}, /name is missing/],
    [{ name: 7 }, /name must be 1 to 100/],
    [{ name: 'x'.repeat(101) }, /name must be 1 to 100/],
    [{ name: 'a\nb' }, /name must be 1 to 100/],
    ['{"name":"\\ud800"}', /name must be 1 to 100/],
  ]
  for (const [body, detail] of wrong) {
    const answer = await call(at, 'POST /api/admin/accounts', { token, body })
    refusedWith(t, answer, 'invalid-request')
    t.match(answer.body.detail, detail)
  }
})
