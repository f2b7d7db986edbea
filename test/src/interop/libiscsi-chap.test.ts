// libiscsi and QEMU against targets with CHAP and targets that have moved: they prove themselves, check the target's proof, see what
// they may see, and follow a redirection to the disk [7143 §12.1.3, §11.13.5].

import t from 'tap'
import { runProgram } from '../harness/run-program.js'
import { iqn, type Server, withServer } from '../harness/server.js'
import { until } from '../protocol/lab.js'

const USER = { user: 'lab-user', secret: 'correct-horse-16' }
const OWN = { user: 'the-target', secret: 'staple-battery16' }
const SIZE = 4 << 20
const luns = [{ sizeBytes: SIZE }]
const REFUSED = /Authentication failure|0x0?201|\b513\b/i

/** An address of libiscsi with a name and a secret, and what the target has to prove. */
function url(server: Server, target: string, { user, secret }: typeof USER, mutual?: typeof USER): string {
  const inReturn = mutual ? `?target_user=${mutual.user}&target_password=${mutual.secret}` : ''
  return `iscsi://${user}%${secret}@${server.portal}/${iqn(target)}/0${inReturn}`
}

/** Names that iscsi-ls shows, without their prefix. */
function listed(stdout: string): string[] {
  return [...stdout.matchAll(/^Target:\S+:(\S+) Portal:/gm)].map(([, name = '']) => name).toSorted()
}

const inquiry = (address: string) => runProgram('iscsi-inq', [address])

t.test('CHAP', async t => {
  const targets = [
    { name: 'oneway', auth: { chap: USER }, luns },
    { name: 'both', auth: { chap: { ...USER, mutual: OWN } }, luns },
  ]
  await withServer(t, { config: { targets } }, async server => {
    await t.test('libiscsi proves itself, one way and in both directions', async t => {
      for (const address of [url(server, 'oneway', USER), url(server, 'both', USER, OWN)]) {
        const { code, stdout, stderr } = await inquiry(address)
        t.equal(code, 0, stderr)
        t.match(stdout, /Vendor:SCSIPUB/)
      }
    })

    await t.test('libiscsi is refused with a wrong secret, without one, and without the mutual leg', async t => {
      for (const address of [
        url(server, 'oneway', { ...USER, secret: 'wrong-horse-0016' }),
        url(server, 'oneway', { ...USER, user: 'nobody' }),
        server.url('oneway'),
        url(server, 'both', USER),
        url(server, 'oneway', USER, OWN),
      ]) {
        const { code, stdout, stderr } = await inquiry(address)
        t.not(code, 0, address)
        t.match(stdout + stderr, REFUSED)
      }
    })

    await t.test('libiscsi itself refuses a target that proves another secret', async t => {
      const { code } = await inquiry(url(server, 'both', USER, { ...OWN, secret: 'not-the-targets1' }))
      t.not(code, 0)
    })

    await t.test('iscsi-ls shows what its name and secret open', async t => {
      const anybody = await runProgram('iscsi-ls', [`iscsi://${server.portal}`])
      t.same(listed(anybody.stdout), ['blank', 'multi'], anybody.stderr)
      const somebody = await runProgram('iscsi-ls', [`iscsi://${USER.user}%${USER.secret}@${server.portal}`])
      t.same(listed(somebody.stdout), ['blank', 'both', 'multi', 'oneway'], somebody.stderr)
    })

    await t.test('QEMU finds the disk behind a name and a secret', async t => {
      const { code, stdout, stderr } = await runProgram('qemu-img', [
        'info',
        '--output=json',
        url(server, 'oneway', USER),
      ])
      t.equal(code, 0, stderr)
      t.equal((JSON.parse(stdout) as Record<string, unknown>)['virtual-size'], SIZE)
    })
  })
})

t.test('a target that has moved', async t => {
  const there = [
    { name: 'far', auth: 'none', luns },
    { name: 'guarded', auth: { chap: USER }, luns },
  ]
  await withServer(t, { config: { targets: there } }, async second => {
    await t.test('libiscsi follows to the other server, where it proves itself', async t => {
      const redirect = { to: second.portal }
      const here = [
        { name: 'far', auth: 'none', redirect },
        { name: 'guarded', auth: { chap: USER }, redirect },
        { name: 'for-good', auth: 'none', redirect: { ...redirect, permanent: true } },
      ]
      await withServer(t, { config: { targets: here } }, async first => {
        for (const [target, address] of [
          ['far', first.url('far')],
          ['guarded', url(first, 'guarded', USER)],
        ] as const) {
          const { code, stdout, stderr } = await runProgram('iscsi-readcapacity16', [address])
          t.equal(code, 0, stderr)
          t.match(stdout, new RegExp(`Total size:${SIZE}`))
          // The initiator may be done before the server has said so.
          await until(`the session for ${target} is at the second server`, () =>
            second.log.some(({ event, target: name }) => event === 'session.opened' && name === iqn(target)),
          )
        }
        const moved = await inquiry(first.url('for-good'))
        t.match(
          moved.stderr + moved.stdout,
          /moved permanently/i,
          'for good it tells the user, and goes nowhere itself',
        )
      })
    })
  })
})
