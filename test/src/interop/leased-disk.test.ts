// A leased disk as the README has it: an account and a session by the command `scsipub`, then stock initiators with what it printed.

import t from 'tap'
import { runProgram } from '../harness/run-program.js'
import { scsipub, scsipubJson } from '../harness/scsipub-command.js'
import { type Server, withServer } from '../harness/server.js'
import { ADMIN } from '../harness/shared-disk.js'

const CONFIG = { admin: ADMIN }

interface Session {
  readonly id: string
  readonly iqn: string
  readonly portal: string
  readonly chap_user: string
  readonly chap_secret: string
  readonly luns: readonly { readonly lun: number; readonly size_bytes: number }[]
  readonly attached_sessions: number
}

const address = ({ chap_user, portal, iqn }: Session, secret: string, lun: number) =>
  `iscsi://${chap_user}%${secret}@${portal}/${iqn}/${lun}`

t.test('scsipub leases a disk, libiscsi uses it, and what is said of it is true', async t => {
  await withServer(t, { config: CONFIG }, async server => {
    const { api_key } = await scsipubJson<{ api_key: string }>(server, 'account', 'create', 'Ada')
    const key = ['--key', api_key]
    const session = await scsipubJson<Session>(server, ...key, 'session', 'create', 'blank:8M', 'blank:16M')
    t.equal(session.portal, server.portal)

    const capacity = await runProgram('iscsi-readcapacity16', [address(session, session.chap_secret, 1)])
    t.equal(capacity.code, 0, capacity.stderr)
    t.match(capacity.stdout, /Total size:16777216\b/)
    const listed = await runProgram('iscsi-ls', [
      '-s',
      `iscsi://${session.chap_user}%${session.chap_secret}@${session.portal}`,
    ])
    t.match(listed.stdout, session.iqn, listed.stderr)
    const wrong = await runProgram('iscsi-inq', [address(session, '0123456789abcdef', 0)])
    t.not(wrong.code, 0)
    t.match(`${wrong.stdout}${wrong.stderr}`, /Authentication failure|0x0?201|\b513\b/i)
    const strangers = await runProgram('iscsi-ls', [`iscsi://${session.portal}`])
    t.notMatch(strangers.stdout, session.iqn, 'who has no key does not see it')

    const { luns } = await scsipubJson<Session>(server, ...key, 'session', 'resize', session.id, '1', '32M')
    t.same(
      luns.map(({ size_bytes }) => size_bytes),
      [8 << 20, 32 << 20],
    )
    const grown = await runProgram('iscsi-readcapacity16', [address(session, session.chap_secret, 1)])
    t.match(grown.stdout, /Total size:33554432\b/)
    const image = await scsipubJson<{ id: string }>(
      server,
      ...key,
      'session',
      'snapshot',
      session.id,
      'golden',
      '--lun',
      '1',
    )
    const clone = await scsipubJson<Session>(server, ...key, 'session', 'create', image.id)
    const cloned = await runProgram('iscsi-readcapacity16', [address(clone, clone.chap_secret, 0)])
    t.match(cloned.stdout, /Total size:33554432\b/, cloned.stderr)

    const { code } = await scsipub(server, ...key, 'session', 'rm', session.id)
    t.equal(code, 0)
    const gone = await runProgram('iscsi-inq', [address(session, session.chap_secret, 0)])
    t.not(gone.code, 0)
    const refused = await scsipub(server, ...key, 'session', 'show', session.id)
    t.match(refused, { code: 2, stderr: /session-unknown/ })
  })
})

t.test('a server that has stopped is exit code 3', async t => {
  let stopped: Server | undefined
  await withServer(t, { config: CONFIG }, async server => {
    stopped = server
  })
  if (stopped) t.match(await scsipub(stopped, 'catalog'), { code: 3, stderr: /nothing listens there/ })
})
