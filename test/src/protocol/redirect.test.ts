// A target that has moved: initiators are told where to, for now or for good, and follow [7143 §11.13.5, §13.8].

import { askChallenge, Initiator, identityKeys, proofKeys, readChallenge, transit } from '@scsipub/testkit'
import t from 'tap'
import { iqn, withServer } from '../harness/server.js'
import { talk, USER } from './chap-lab.js'
import { portal } from './lab.js'

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
          const moved = first.log.find(({ event }) => event === 'login.redirected')
          t.match(moved, { target: iqn('far'), status: '0101' })
        })

        await t.test('0102 where it is for good; IPv6 in brackets [7143 §13.8]', async t => {
          const answer = await talk(first, login => login.ask(transit(1, 3), identityKeys({ target: iqn('for-good') })))
          t.match(answer, { status: 0x0102, keys: { TargetAddress: '[2001:db8::1]:3260' } })
        })

        await t.test('who must prove himself is told after that, and not before [7143 §11.13.5]', async t => {
          const who = identityKeys({ target: iqn('guarded') })
          await talk(first, async login => {
            const given = readChallenge(await askChallenge(login, who))
            const answer = await login.ask(transit(0, 1), proofKeys(given, USER))
            t.match(answer, { status: 0x0101, keys: { TargetAddress: to } })
          })
          await talk(first, async login => {
            const given = readChallenge(await askChallenge(login, who))
            const answer = await login.ask(transit(0, 1), proofKeys(given, { ...USER, secret: 'wrong horse batte' }))
            t.match(answer, { status: 0x0201, dataSegmentLength: 0 })
          })
          const skipped = await talk(first, login => login.ask(transit(1, 3), who))
          t.match(skipped, { status: 0x0201, dataSegmentLength: 0 })
        })

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
