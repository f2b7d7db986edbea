/** Sessions over HTTP as their owners and strangers meet them. Real server and storage; logins are tried in test/. */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { testFolder } from '@scsipub/testkit'
import t from 'tap'
import { REAL_WORKER } from '../fixtures/harness.js'
import { ADMIN_TOKEN, call, refusedWith } from '../fixtures/http-calls.js'
import { start } from '../fixtures/steps.js'

const MEBIBYTE = 2 ** 20
const TIERS = {
  paid: { maxSessions: 3, maxBytes: 400 * MEBIBYTE, ttlSeconds: 3600 },
  small: { maxSessions: 1, maxBytes: MEBIBYTE, ttlSeconds: 1800 },
}
const dataDir = testFolder(t, { catalog: {} })
writeFileSync(join(dataDir, 'catalog', 'tiny.img'), Buffer.alloc(3 * 512, 7))
writeFileSync(
  join(dataDir, 'catalog', 'tiny.json'),
  JSON.stringify({ name: 'tiny', title: 'A tiny one', file: 'tiny.img' }),
)
const env = { SCSIPUB_ADMIN_TOKEN: ADMIN_TOKEN, SCSIPUB_TIERS: JSON.stringify(TIERS) }
const server = start(t, { env, dataDir, worker: REAL_WORKER })
const at = await server.api()

/** A body that the call would take. */
const BODIES: Record<string, object> = {
  'POST /luns': { image: 'tiny' },
  'PATCH /luns/0': { size_bytes: 4096 },
  'POST /snapshot': { name: 'a' },
}

async function account(tier = 'paid'): Promise<{ id: string; token: string }> {
  const { body } = await call(at, 'POST /api/admin/accounts', { token: ADMIN_TOKEN, body: { name: 'somebody', tier } })
  return { id: body.id, token: body.api_key }
}

t.test('an image makes a session of one LUN, with all that is needed to log in', async t => {
  const { token } = await account()
  const { status, headers, body } = await call(at, 'POST /api/sessions', { token, body: { image: 'blank' } })
  t.equal(status, 201)
  t.equal(headers.get('location'), `/api/sessions/${body.id}`)
  const { created_at, expires_at, ...rest } = body
  t.match(rest, {
    id: /^[a-z2-7]{26}$/,
    iqn: `iqn.2025-01.pub.scsipub:${body.id}`,
    portal: String((await server.logged('server.ready'))['iscsi']),
    chap_user: body.id,
    chap_secret: /^[\x21-\x7e]{16}$/,
    state: 'suspended',
    luns: [{ lun: 0, image: 'blank', size_bytes: 64 * MEBIBYTE }],
    attached_sessions: 0,
    expiring: false,
  })
  t.equal(Date.parse(expires_at) - Date.parse(created_at), 3_600_000)
  t.same((await call(at, `GET /api/sessions/${body.id}`, { token })).body, body)
  const { chap_user, chap_secret, ...summary } = body
  t.same((await call(at, 'GET /api/sessions', { token })).body, { sessions: [summary] }, 'a list has no secrets')
  t.equal((await call(at, `DELETE /api/sessions/${body.id}`, { token })).status, 204)
  refusedWith(t, await call(at, `GET /api/sessions/${body.id}`, { token }), 'session-unknown')
  t.same(volumesOf(body.id), [], 'its disk is gone')
})

t.test('several images, sizes, and LUNs spelled out', async t => {
  const { token } = await account()
  const lunsOf = async (body: object) => {
    const made = await call(at, 'POST /api/sessions', { token, body })
    t.equal(made.status, 201, JSON.stringify(made.body))
    await call(at, `DELETE /api/sessions/${made.body.id}`, { token })
    return made.body.luns.map(({ image, size_bytes }: { image: string; size_bytes: number }) => [image, size_bytes])
  }
  t.same(await lunsOf({ images: ['tiny', 'blank'] }), [
    ['tiny', 1536],
    ['blank', 64 * MEBIBYTE],
  ])
  t.same(await lunsOf({ size_bytes: MEBIBYTE }), [['blank', MEBIBYTE]])
  t.same(await lunsOf({ image: 'blank', size_bytes: MEBIBYTE }), [['blank', MEBIBYTE]])
  t.same(await lunsOf({ image: 'tiny', size_bytes: MEBIBYTE }), [['tiny', MEBIBYTE]])
  t.same(await lunsOf({ luns: [{ size_bytes: 512 }, { image: 'tiny' }, { image: 'blank' }] }), [
    ['blank', 512],
    ['tiny', 1536],
    ['blank', 64 * MEBIBYTE],
  ])
})

t.test('a name and a time of its own', async t => {
  const { token } = await account()
  const wish = { image: 'tiny', name: 'Labor № 5', ttl_seconds: 90 }
  const { body } = await call(at, 'POST /api/sessions', { token, body: wish })
  t.equal(body.name, 'Labor № 5')
  t.equal(Date.parse(body.expires_at) - Date.parse(body.created_at), 90_000)
  await call(at, `DELETE /api/sessions/${body.id}`, { token })
})

t.test('requests of the wrong shape: every fault at once, with its place', async t => {
  const { token } = await account()
  const wrong: [body: unknown, faults: string[]][] = [
    [{}, ['the body must have one of: image or size_bytes, images, luns']],
    [{ image: 'tiny', images: ['tiny'] }, ['the body must have one of: image or size_bytes, images, luns']],
    [{ images: [] }, ['images must be a list of 1 to 256 images']],
    [{ images: Array(257).fill('tiny') }, ['images must be a list of 1 to 256 images']],
    [{ luns: [{}] }, ['luns[0] must have image, size_bytes, or both']],
    [
      { luns: [{ image: 7 }, { size_bytes: 513 }], ttl_seconds: 0.5, name: '' },
      [
        'luns[0].image must be a name of the catalog, the id of a private image, or "blank"',
        'luns[1].size_bytes must be a number of bytes from 512 to 8796093022208, a multiple of 512',
        'ttl_seconds must be a whole number of seconds from 1',
        'name must be 1 to 100 printable characters',
      ],
    ],
    [
      { image: 'tiny', secret: 'x' },
      ['secret is not known; there are: image, size_bytes, images, luns, ttl_seconds, name'],
    ],
    [{ luns: [{ image: 'tiny', lun: 7 }] }, ['luns[0].lun is not known; there are: image, size_bytes']],
    [
      { image: 'tiny', size_bytes: '1024' },
      ['size_bytes must be a number of bytes from 512 to 8796093022208, a multiple of 512'],
    ],
  ]
  for (const [body, faults] of wrong) {
    const answer = await call(at, 'POST /api/sessions', { token, body })
    refusedWith(t, answer, 'invalid-request')
    t.same(answer.body.errors.map(({ detail }: { detail: string }) => detail).sort(), faults.sort())
  }
})

t.test('wishes that cannot be met: every reason at once, in the words of the request', async t => {
  const { token } = await account('small')
  const spelled = {
    luns: [{ image: 'tiny', size_bytes: 512 }, { image: 'none' }, { size_bytes: 2 * MEBIBYTE }],
    ttl_seconds: 1801,
  }
  const answer = await call(at, 'POST /api/sessions', { token, body: spelled })
  refusedWith(t, answer, 'ttl-invalid')
  t.match(
    answer.body.errors.map(({ path, code }: { path?: string; code: string }) => `${code} ${path ?? ''}`.trim()).sort(),
    ['image-unknown luns[1].image', 'quota-exceeded', 'size-invalid luns[0].size_bytes', 'ttl-invalid ttl_seconds'],
  )
  const place = async (body: object) => (await call(at, 'POST /api/sessions', { token, body })).body.errors[0].path
  t.equal(await place({ images: ['tiny', 'none'] }), 'images[1]')
  t.equal(await place({ image: 'none' }), 'image')
  t.equal(await place({ image: 'tiny', size_bytes: 512 }), 'size_bytes')
})

t.test('the tier bounds sessions and bytes', async t => {
  const { token } = await account('small')
  const wish = { token, body: { size_bytes: 512 * 1024 } }
  const { body } = await call(at, 'POST /api/sessions', wish)
  const second = await call(at, 'POST /api/sessions', wish)
  refusedWith(t, second, 'quota-exceeded')
  t.match(second.body.detail, /1 sessions/)
  const more = await call(at, `POST /api/sessions/${body.id}/luns`, { token, body: { size_bytes: MEBIBYTE } })
  refusedWith(t, more, 'quota-exceeded')
  t.equal((await call(at, `POST /api/sessions/${body.id}/luns`, wish)).status, 201)
  await call(at, `DELETE /api/sessions/${body.id}`, { token })
  const again = await call(at, 'POST /api/sessions', wish)
  t.equal(again.status, 201, 'what is removed counts no more')
  await call(at, `DELETE /api/sessions/${again.body.id}`, { token })
  const unknown = await call(at, 'POST /api/admin/accounts', { token: ADMIN_TOKEN, body: { name: 'a', tier: 'gold' } })
  refusedWith(t, unknown, 'tier-unknown')
})

t.test('LUNs come and go; numbers are not moved', async t => {
  const { token } = await account()
  const { body } = await call(at, 'POST /api/sessions', { token, body: { images: ['tiny', 'tiny', 'tiny'] } })
  const numbers = ({ body }: { body: { luns: { lun: number }[] } }) => body.luns.map(({ lun }) => lun)
  const removed = await call(at, `DELETE /api/sessions/${body.id}/luns/1`, { token })
  t.equal(removed.status, 200)
  t.same(numbers(removed), [0, 2])
  const luns = { token, body: { image: 'tiny' } }
  t.same(numbers(await call(at, `POST /api/sessions/${body.id}/luns`, luns)), [0, 1, 2])
  t.same(numbers(await call(at, `POST /api/sessions/${body.id}/luns`, luns)), [0, 1, 2, 3])
  for (const lun of ['9', '256', '-1', 'x', '01', '1e0'])
    refusedWith(t, await call(at, `DELETE /api/sessions/${body.id}/luns/${lun}`, { token }), 'lun-unknown')
  refusedWith(t, await call(at, `POST /api/sessions/${body.id}/luns`, { token, body: {} }), 'invalid-request')
  const unknown = await call(at, `POST /api/sessions/${body.id}/luns`, { token, body: { image: 'none' } })
  refusedWith(t, unknown, 'image-unknown')
  for (const lun of [3, 2, 1]) await call(at, `DELETE /api/sessions/${body.id}/luns/${lun}`, { token })
  refusedWith(t, await call(at, `DELETE /api/sessions/${body.id}/luns/0`, { token }), 'luns-missing')
  await call(at, `DELETE /api/sessions/${body.id}`, { token })
})

t.test('a LUN grows, and never shrinks', async t => {
  const { token } = await account()
  const { body } = await call(at, 'POST /api/sessions', { token, body: { size_bytes: MEBIBYTE } })
  const patch = (lun: number, size_bytes: unknown) =>
    call(at, `PATCH /api/sessions/${body.id}/luns/${lun}`, { token, body: { size_bytes } })
  const grown = await patch(0, 2 * MEBIBYTE)
  t.equal(grown.status, 200, JSON.stringify(grown.body))
  t.same(grown.body.luns, [{ lun: 0, image: 'blank', size_bytes: 2 * MEBIBYTE }])
  const smaller = await patch(0, MEBIBYTE)
  refusedWith(t, smaller, 'size-invalid')
  t.equal(smaller.body.errors[0].path, 'size_bytes')
  refusedWith(t, await patch(0, 1000), 'invalid-request')
  refusedWith(t, await patch(7, 4 * MEBIBYTE), 'lun-unknown')
  refusedWith(t, await patch(0, 500 * MEBIBYTE), 'quota-exceeded')
  await call(at, `DELETE /api/sessions/${body.id}`, { token })
})

t.test('a snapshot is an image of its account alone, and counts; it goes when nothing stands on it', async t => {
  const [owner, stranger] = [await account(), await account()]
  const { token } = owner
  const { body } = await call(at, 'POST /api/sessions', { token, body: { images: ['blank', 'tiny'] } })
  const snapshot = (wish: unknown) => call(at, `POST /api/sessions/${body.id}/snapshot`, { token, body: wish })
  const made = await snapshot({ name: 'golden', lun: 1 })
  t.equal(made.status, 201, JSON.stringify(made.body))
  t.match(made.body, { name: 'golden', size_bytes: 1536, created_at: /^\d{4}-/ })
  const { id } = made.body
  const mine = { image: id, title: 'golden', size_bytes: 1536, private: true }
  t.same((await call(at, 'GET /api/catalog', { token })).body.images.at(-1), mine)
  for (const other of [{}, { token: stranger.token }])
    t.notOk(JSON.stringify((await call(at, 'GET /api/catalog', other)).body).includes(id))
  const theirs = await call(at, 'POST /api/sessions', { token: stranger.token, body: { image: id } })
  refusedWith(t, theirs, 'image-unknown')
  refusedWith(t, await call(at, `DELETE /api/images/${id}`, { token: stranger.token }), 'not-found')
  const clone = await call(at, 'POST /api/sessions', { token, body: { image: id } })
  t.equal(clone.status, 201, JSON.stringify(clone.body))
  t.match(clone.body.luns, [{ lun: 0, image: id, size_bytes: 1536 }])
  refusedWith(t, await call(at, `DELETE /api/images/${id}`, { token }), 'image-in-use')
  for (const session of [body, clone.body]) await call(at, `DELETE /api/sessions/${session.id}`, { token })
  t.equal((await call(at, `DELETE /api/images/${id}`, { token })).status, 204)
  refusedWith(t, await call(at, `DELETE /api/images/${id}`, { token }), 'not-found')
})

t.test("somebody else's session is as unknown as one that is not there", async t => {
  const [owner, stranger] = [await account(), await account()]
  const { body } = await call(at, 'POST /api/sessions', { token: owner.token, body: { image: 'tiny' } })
  const calls = ['GET ', 'DELETE ', 'DELETE /luns/0', ...Object.keys(BODIES)].map(what => what.split(' '))
  for (const [method, below] of calls) {
    const token = stranger.token
    const wish = { token, ...(BODIES[`${method} ${below}`] && { body: BODIES[`${method} ${below}`] }) }
    const theirs = await call(at, `${method} /api/sessions/${body.id}${below}`, wish)
    refusedWith(t, theirs, 'session-unknown')
    const nobodys = await call(at, `${method} /api/sessions/${'a'.repeat(26)}${below}`, wish)
    t.same(nobodys.body, theirs.body, 'no difference to be seen')
    refusedWith(t, await call(at, `${method} /api/sessions/${body.id}${below}`), 'unauthenticated')
    const wrong = `${stranger.token.slice(0, -1)}${stranger.token.endsWith('A') ? 'B' : 'A'}`
    refusedWith(t, await call(at, `${method} /api/sessions/${body.id}${below}`, { token: wrong }), 'key-invalid')
  }
  t.same((await call(at, 'GET /api/sessions', { token: stranger.token })).body.sessions, [])
  t.equal((await call(at, `GET /api/sessions/${body.id}`, { token: owner.token })).status, 200, 'it is still there')
  const all = (await call(at, 'GET /api/admin/sessions', { token: ADMIN_TOKEN })).body.sessions
  t.match(all.at(-1), { id: body.id, account_id: owner.id })
  t.notOk(JSON.stringify(all).includes(body.chap_secret), 'nor does the administrator see secrets')
  await call(at, `DELETE /api/sessions/${body.id}`, { token: owner.token })
})

t.test('a revoked key opens nothing; sessions stay or go as the administrator says', async t => {
  const token = ADMIN_TOKEN
  const [kept, removed] = [await account(), await account()]
  const ids: string[] = []
  for (const { token } of [kept, removed])
    ids.push((await call(at, 'POST /api/sessions', { token, body: { image: 'tiny' } })).body.id)
  refusedWith(t, await call(at, `DELETE /api/admin/accounts/${kept.id}?sessions=all`, { token }), 'invalid-request')
  t.equal((await call(at, `DELETE /api/admin/accounts/${kept.id}`, { token })).status, 204)
  t.equal((await call(at, `DELETE /api/admin/accounts/${removed.id}?sessions=remove`, { token })).status, 204)
  for (const { token } of [kept, removed]) refusedWith(t, await call(at, 'GET /api/sessions', { token }), 'key-invalid')
  const all = (await call(at, 'GET /api/admin/sessions', { token })).body.sessions.map(({ id }: { id: string }) => id)
  t.ok(all.includes(ids[0]))
  t.notOk(all.includes(ids[1]))
  t.equal(
    (await call(at, `DELETE /api/admin/accounts/${kept.id}?sessions=remove`, { token })).status,
    204,
    'later, too',
  )
  refusedWith(t, await call(at, `DELETE /api/admin/accounts/${kept.id}?sessions=remove`, { token }), 'account-unknown')
})

t.test('the catalog is for everybody; a wrong key is refused all the same', async t => {
  const expected = [
    {
      image: 'blank',
      title: 'Blank disk',
      size_bytes: 64 * MEBIBYTE,
      iqn: 'iqn.2025-01.pub.scsipub:blank',
      private: false,
    },
    { image: 'tiny', title: 'A tiny one', size_bytes: 1536, iqn: 'iqn.2025-01.pub.scsipub:tiny', private: false },
  ]
  t.same((await call(at, 'GET /api/catalog')).body, { images: expected })
  const { token } = await account()
  t.same((await call(at, 'GET /api/catalog', { token })).body, { images: expected })
  refusedWith(t, await call(at, 'GET /api/catalog', { token: 'scsipub_x' }), 'key-invalid')
})

t.test('the secret of a session is in no log', async t => {
  const { token } = await account()
  const { body } = await call(at, 'POST /api/sessions', { token, body: { image: 'tiny' } })
  await call(at, `GET /api/sessions/${body.id}`, { token })
  t.notOk(JSON.stringify(server.log).includes(body.chap_secret))
  t.notOk(JSON.stringify(server.log).includes(token.slice(-43)))
  await call(at, `DELETE /api/sessions/${body.id}`, { token })
})

function volumesOf(id: string): string[] {
  const folder = join(dataDir, 'volumes')
  if (!existsSync(folder)) mkdirSync(folder)
  return readdirSync(folder).filter(name => name.includes(id))
}
