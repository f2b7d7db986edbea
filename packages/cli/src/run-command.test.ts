/** The command against servers that behave in every way; the real one is in test/. What is sent, what is printed, exit codes. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { json, scsipub, serverThat } from './fixtures/stub-server.js'

const SESSION = {
  id: 'mfrggzdfmztwq2lknnwg23tpob',
  iqn: 'iqn.2025-01.pub.scsipub:mfrggzdfmztwq2lknnwg23tpob',
  portal: '192.0.2.1:3260',
  chap_user: 'mfrggzdfmztwq2lknnwg23tpob',
  chap_secret: '0123456789abcdef',
  state: 'attached',
  luns: [
    { lun: 0, image: 'blank', size_bytes: 67_108_864 },
    { lun: 2, image: 'debian-12', size_bytes: 2 ** 31 },
  ],
  created_at: '2030-01-01T00:00:00.000Z',
  expires_at: '2030-01-31T10:20:30.000Z',
  attached_sessions: 2,
  expiring: false,
}
const KEY = { SCSIPUB_KEY: 'scsipub_k' }

t.test('session create sends what was typed, and prints the commands to log in', async t => {
  const { url, seen } = await serverThat(t, json(SESSION, 201))
  const args = ['session', 'create', 'blank:1G', 'debian-12', '--ttl', '7d', '--name', 'lab', '--server', `${url}/`]
  const { code, out, err } = await scsipub(args, KEY)
  t.equal(code, 0, err)
  t.same(seen, [
    {
      method: 'POST',
      url: '/api/sessions',
      authorization: 'Bearer scsipub_k',
      body: {
        luns: [{ image: 'blank', size_bytes: 2 ** 30 }, { image: 'debian-12' }],
        ttl_seconds: 604_800,
        name: 'lab',
      },
    },
  ])
  const node = `iscsiadm -m node -T ${SESSION.iqn} -p 192.0.2.1:3260`
  for (const line of [
    `${node} -o new`,
    `${node} -o update -n node.session.auth.authmethod -v CHAP`,
    `${node} -o update -n node.session.auth.username -v ${SESSION.chap_user}`,
    `${node} -o update -n node.session.auth.password -v ${SESSION.chap_secret}`,
    `${node} --login`,
  ])
    t.ok(out.includes(`  ${line}\n`), line)
  t.match(out, /LUN 2: +debian-12, 2 GiB/)
  t.match(out, /by 2 initiators/)
})

t.test('every command calls what it should', async t => {
  const { url, seen } = await serverThat(
    t,
    json({ ...SESSION, size_bytes: 512, sessions: [], images: [], accounts: [], damaged: [] }),
  )
  const env = { ...KEY, SCSIPUB_SERVER: url, SCSIPUB_ADMIN_TOKEN: 'admin' }
  const calls: [args: string, method: string, path: string, body?: object][] = [
    ['session create', 'POST', '/api/sessions', { luns: [{ image: 'blank' }] }],
    ['session list', 'GET', '/api/sessions'],
    ['session show a/b', 'GET', '/api/sessions/a%2Fb'],
    ['session rm a', 'DELETE', '/api/sessions/a'],
    ['session add-lun a blank:8M', 'POST', '/api/sessions/a/luns', { image: 'blank', size_bytes: 8_388_608 }],
    ['session rm-lun a 3', 'DELETE', '/api/sessions/a/luns/3'],
    ['session resize a 3 1G', 'PATCH', '/api/sessions/a/luns/3', { size_bytes: 2 ** 30 }],
    ['session snapshot a gold --lun 3', 'POST', '/api/sessions/a/snapshot', { name: 'gold', lun: 3 }],
    ['catalog', 'GET', '/api/catalog'],
    ['image rm i', 'DELETE', '/api/images/i'],
    ['account create Ada --tier gold', 'POST', '/api/admin/accounts', { name: 'Ada', tier: 'gold' }],
    ['account list', 'GET', '/api/admin/accounts'],
    ['account rm x --remove-sessions', 'DELETE', '/api/admin/accounts/x?sessions=remove'],
  ]
  for (const [line, method, path, body] of calls) {
    const { code, err } = await scsipub(line.split(' '), env)
    t.equal(code, 0, `${line}: ${err}`)
    const authorization = line.startsWith('account') ? 'Bearer admin' : 'Bearer scsipub_k'
    t.same(seen.at(-1), { method, url: path, authorization, body }, line)
  }
  for (const [line] of calls) {
    const { out } = await scsipub([...line.split(' '), '--help'])
    t.ok(out.startsWith(`Usage: scsipub ${line.split(' ')[0]}`), line)
  }
})

t.test('options may stand before the words', async t => {
  const { url, seen } = await serverThat(t, json({ sessions: [SESSION] }))
  const { code, out } = await scsipub(['--server', url, '--key', 'k', 'session', '--json', 'list'])
  t.equal(code, 0)
  t.equal(seen[0]?.authorization, 'Bearer k')
  t.same(JSON.parse(out), { sessions: [SESSION] })
})

t.test('wrong usage is exit code 1, and says what would be right', async t => {
  const wrong: [string[], RegExp][] = [
    [[], /see scsipub --help/],
    [['sesion', 'list'], /no command "sesion"/],
    [['session'], /there are: session create, session list/],
    [['session', 'show'], /write: scsipub session show ID/],
    [['session', 'list', 'x'], /write: scsipub session list/],
    [['session', 'create', '--size', '1G'], /Unknown option '--size'.*see scsipub session create --help/],
    [['session', 'create', 'blank:big'], /"big" is not a size/],
    [['session', 'create', '--ttl', 'soon'], /"soon" is not a time/],
    [['session', 'rm-lun', 'a', 'one'], /"one" is not the number of a LUN/],
    [['catalog', '--server', 'localhost:8080'], /write http:\/\/HOST:PORT/],
  ]
  for (const [args, message] of wrong) {
    const { code, out, err } = await scsipub(args, KEY)
    t.equal(code, 1, args.join(' '))
    t.match(err, message)
    t.equal(out, '')
  }
  t.match(await scsipub(['session', 'list']), { code: 1, err: /set SCSIPUB_KEY, or give --key/ })
  t.match(await scsipub(['account', 'list'], KEY), { code: 1, err: /set SCSIPUB_ADMIN_TOKEN, or give --admin-token/ })
})

t.test('a refusal is exit code 2 with the detail of the problem; several faults are a line each', async t => {
  const one = { detail: 'you have no session with this id', code: 'session-unknown', status: 404 }
  const { url } = await serverThat(t, json(one, 404, 'application/problem+json; charset=utf-8'))
  t.same(await scsipub(['session', 'show', 'x', '--server', url], KEY), {
    code: 2,
    out: '',
    err: 'scsipub: you have no session with this id (session-unknown)\n',
  })
  const errors = [{ path: 'luns[0].image', detail: 'luns[0].image a' }, { detail: 'b' }]
  const many = await serverThat(t, json({ ...one, errors }, 422, 'application/problem+json'))
  const { err } = await scsipub(['session', 'create', '--server', many.url], KEY)
  t.equal(err, 'scsipub: refused (session-unknown):\n  luns[0].image a\n  b\n')
})

t.test('a server that is not there, breaks off, or is another is exit code 3', async t => {
  const html = await serverThat(t, response => response.writeHead(502, { 'content-type': 'text/html' }).end('<html>'))
  t.match(await scsipub(['catalog', '--server', html.url]), {
    code: 3,
    err: /is not scsipub \(status 502, text\/html\)/,
  })
  const broken = await serverThat(t, response =>
    response.writeHead(200, { 'content-type': 'application/json' }).end('{'),
  )
  t.match(await scsipub(['catalog', '--server', broken.url]), { code: 3, err: /is not scsipub/ })
  const cut = await serverThat(t, response => response.socket?.destroy())
  t.match(await scsipub(['catalog', '--server', cut.url]), { code: 3, err: /cannot reach .*the connection was closed/ })
  const gone = createServer().listen(0, '127.0.0.1')
  await once(gone, 'listening')
  const { port } = gone.address() as AddressInfo
  gone.close()
  await once(gone, 'close')
  const { code, err } = await scsipub(['catalog'], { SCSIPUB_SERVER: `http://127.0.0.1:${port}` })
  t.equal(code, 3)
  t.match(err, /nothing listens there\n {2}say where .* SCSIPUB_SERVER/)
})

t.test('upgrade says what became of processes and sessions, or why the old one goes on', async t => {
  const report = {
    from: { pid: 7, version: '0.1.0' },
    to: { pid: 8, version: '0.2.0' },
    moved: 12,
    asked_to_log_in_again: 1,
    pause_ms: 87.5,
    login_pause_ms: 300,
  }
  const { url, seen } = await serverThat(t, json(report))
  const admin = { SCSIPUB_ADMIN_TOKEN: 'tok', SCSIPUB_SERVER: url }
  const { code, out } = await scsipub(['upgrade'], admin)
  t.equal(code, 0)
  t.match(seen, [{ method: 'POST', url: '/api/admin/upgrade', authorization: 'Bearer tok' }])
  t.match(out, /process 7 \(version 0.1.0\) is replaced by process 8 \(version 0.2.0\)\n12 sessions went on; 1 were/)
  t.same(JSON.parse((await scsipub(['upgrade', '--json'], admin)).out), report)
  const problem = { code: 'upgrade-failed', detail: 'workers: must be a whole number (it ended with exit code 2)' }
  const refusing = await serverThat(t, json(problem, 409, 'application/problem+json'))
  const refused = await scsipub(['upgrade', '--server', refusing.url], admin)
  t.not(refused.code, 0)
  t.match(refused.err, /must be a whole number .*\(upgrade-failed\)/)
})
