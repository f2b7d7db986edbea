/** What holds for every call: form of refusals, methods, kinds of body, the document. Real server. */
import { Validator } from '@seriousme/openapi-schema-validator'
import t from 'tap'
import { ADMIN_TOKEN, call, refusedWith } from '../fixtures/http-calls.js'
import { start } from '../fixtures/steps.js'
import { MAX_BODY_BYTES } from './limits.js'

const token = ADMIN_TOKEN
const server = start(t, { env: { SCSIPUB_ADMIN_TOKEN: ADMIN_TOKEN, SCSIPUB_FREE_CAPLOOPBACK: 'true' } })
const at = await server.api()

t.test('a path that is not there is 404, whatever it is', async t => {
  for (const path of ['/', '/api', '/api/nothing', '/healthz/', '/api//admin', `/${'x'.repeat(3000)}`, '/%2e%2e/etc'])
    refusedWith(t, await call(at, `GET ${path}`), 'not-found')
  refusedWith(t, await call(at, 'GET /%zz'), 'malformed-http')
})

t.test('a method that a path does not have is 405 with those that it has [9110 §15.5.6]', async t => {
  const answer = await call(at, 'DELETE /api/admin/accounts', { token })
  refusedWith(t, answer, 'method-not-allowed')
  t.equal(answer.headers.get('allow'), 'GET, HEAD, POST')
  refusedWith(t, await call(at, 'PUT /healthz', { body: 'x'.repeat(100_000) }), 'method-not-allowed')
})

t.test('bodies that are no JSON, or too long, or of another type', async t => {
  const post = (body: string, headers = {}) => call(at, 'POST /api/admin/accounts', { token, body, headers })
  for (const text of ['{', '{"a":1,}', 'x', '{"__proto__":{"x":1}}', '\u0000'])
    refusedWith(t, await post(text), 'invalid-json')
  refusedWith(t, await post(''), 'invalid-request')
  refusedWith(t, await post(`"${'x'.repeat(MAX_BODY_BYTES)}"`), 'body-too-large')
  for (const type of ['text/plain', 'application/xml', 'multipart/form-data; boundary=x', 'nonsense'])
    refusedWith(t, await post('{}', { 'content-type': type }), 'unsupported-media-type')
})

t.test('the OpenAPI document is valid, and names every call', async t => {
  const { status, body } = await call(at, 'GET /api/openapi.json')
  t.equal(status, 200)
  const { valid, errors } = await new Validator().validate(structuredClone(body))
  t.ok(valid, JSON.stringify(errors))
  t.equal(body.openapi, '3.1.0')
  const calls = Object.entries(body.paths).flatMap(([path, item]) =>
    Object.keys(item as object).map(m => `${m} ${path}`),
  )
  t.same(calls.sort(), [
    'delete /api/admin/accounts/{id}',
    'delete /api/images/{id}',
    'delete /api/sessions/{id}',
    'delete /api/sessions/{id}/luns/{lun}',
    'get /api/admin/accounts',
    'get /api/admin/events',
    'get /api/admin/sessions',
    'get /api/admin/workers',
    'get /api/catalog',
    'get /api/sessions',
    'get /api/sessions/{id}',
    'get /healthz',
    'get /metrics',
    'get /readyz',
    'patch /api/sessions/{id}/luns/{lun}',
    'post /api/admin/accounts',
    'post /api/admin/drain',
    'post /api/admin/upgrade',
    'post /api/admin/workers/restart',
    'post /api/sessions',
    'post /api/sessions/{id}/luns',
    'post /api/sessions/{id}/snapshot',
  ])
})

t.test('a server that can serve says so', async t => {
  for (const path of ['/healthz', '/readyz']) {
    const answer = await call(at, `GET ${path}`)
    t.match(answer, { status: 200, body: { status: 'ok' } })
  }
})

t.test('SIGTERM closes the listener; a request that is under way is answered', async t => {
  for (let attempt = 0; attempt < 4; attempt++) await call(at, 'GET /api/admin/accounts', { token: 'wrong' })
  const slow = call(at, 'GET /api/admin/accounts', { token: 'wrong' }) // its answer is held back for 800 ms
  await server.logged('http.authentication.failed', () => failures(server.log) === 5)
  server.signals.emit('SIGTERM')
  refusedWith(t, await slow, 'admin-token-invalid')
  t.equal(await server.exitCode, 0)
  await t.rejects(call(at, 'GET /healthz'))
})

function failures(log: readonly { event?: string }[]): number {
  return log.filter(line => line.event === 'http.authentication.failed').length
}
