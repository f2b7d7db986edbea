// A target that has moved: initiators are told where to, for now or for good, and follow [7143 §11.13.5, §13.8].

import { Initiator, identityKeys, transit } from '@scsipub/testkit'
import t from 'tap'
import { iqn, withServer } from '../harness/server.js'
import { talk, USER } from './chap-lab.js'
import { portal, untilLogged, withSession } from './lab.js'

const luns = [{ sizeBytes: 4 << 20 }]

t.test('redirected logins', async t => {
  const there = {
    targets: [
      { name: 'far', auth: 'none', luns },
      { name: 'guarded', auth: { chap: USER }, luns },
    ],
  }
  await withServer(t, { config: there }, async second => {
    const to = second.portal
    const here = {
      targets: [
        { name: 'far', auth: 'none', redirect: { to } },
        { name: 'for-good', auth: 'none', redirect: { to: '[2001:db8::1]:3260', permanent: true } },
        { name: 'guarded', auth: { chap: USER }, redirect: { to }, luns },
      ],
    }
    await t.test('by a first server', async t => {
      await withServer(t, { config: here }, async first => {
        await t.test('0101 in the first answer, with TargetAddress without portal group tag [7143 §13.8]', async t => {
          for (const fields of [transit(0, 1), transit(1, 3)]) {
            await talk(first, async login => {
              const answer = await login.ask(fields, identityKeys({ target: iqn('far') }))
              t.match(answer, { status: 0x0101, transit: false, keys: { TargetAddress: to } })
              await login.wire.closed
            })
          }
          const [moved] = await untilLogged(first, 'login.redirected')
          t.match(moved, { target: iqn('far'), status: '0101' })
        })

        await t.test('0102 where it is for good; IPv6 in brackets [7143 §13.8]', async t => {
          const answer = await talk(first, login => login.ask(transit(1, 3), identityKeys({ target: iqn('for-good') })))
          t.match(answer, { status: 0x0102, keys: { TargetAddress: '[2001:db8::1]:3260' } })
        })

        await t.test(
          'a target with CHAP tells it before the proof too: libiscsi needs it so [7143 §11.13.5]',
          async t => {
            const who = identityKeys({ target: iqn('guarded') })
            for (const AuthMethod of ['CHAP', 'CHAP,None', 'None']) {
              const answer = await talk(first, login => login.ask({ csg: 0 }, { ...who, AuthMethod }))
              t.match(answer, { status: 0x0101, keys: { TargetAddress: to } })
            }
            await withSession(second, { target: iqn('guarded'), chap: USER }, async initiator => {
              t.equal((await initiator.read(0, 1)).length, 512, 'and the other server asks for the proof')
            })
          },
        )

        await t.test('SendTargets still tells the own address [7143 Appendix C]', async t => {
          const initiator = await Initiator.login(portal(first))
          const answer = await initiator.text({ SendTargets: iqn('far') })
          t.same(answer.values('TargetAddress'), [`${first.portal},1`])
          await initiator.close()
        })
      })
    })
  })
})
