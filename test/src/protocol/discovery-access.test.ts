// Discovery shows what the initiator may log in to, and no more [7143 §4.3, §9.2, Appendix C].

import { type ChapOptions, Initiator, type LoginOptions, LoginRefused } from '@scsipub/testkit'
import t from 'tap'
import { iqn, type Server, withServer } from '../harness/server.js'
import { MODERN, OWN, TARGETS, USER } from './chap-lab.js'
import { portal, withSession } from './lab.js'

const OPERATOR = { user: 'operator', secret: 'sees every target' }
const ANYBODY = ['blank', 'multi', 'open']

/** Names that SendTargets gives, without their prefix; the status when the login is refused. */
async function shown(server: Server, options: LoginOptions): Promise<string[] | number> {
  let initiator: Initiator
  try {
    initiator = await Initiator.login(portal(server), options)
  } catch (error) {
    if (error instanceof LoginRefused) return error.status
    throw error
  }
  const names = (await initiator.text({ SendTargets: 'All' })).values('TargetName')
  await initiator.close()
  return names.map(name => name.slice(name.lastIndexOf(':') + 1)).toSorted()
}

const chap = (identity: { user: string; secret: string }, more: Partial<ChapOptions> = {}): LoginOptions => ({
  chap: { ...identity, ...more },
})
const wrong = 'no such secret!!'

t.test('discovery for anybody', async t => {
  await withServer(t, { config: { targets: TARGETS } }, async server => {
    t.same(await shown(server, {}), ANYBODY, 'who proves nothing sees the targets without auth')
    t.same(await shown(server, { skipSecurity: true }), ANYBODY)
    const all = chap({ ...MODERN }, { algorithms: '8,7' })
    t.same(await shown(server, all), ['blank', 'modern', 'multi', 'open'], 'and with a secret, what it opens')
    t.equal(await shown(server, chap({ ...MODERN }, { algorithms: '5' })), 0x0201, 'by an algorithm that it takes')
    t.equal(await shown(server, chap({ ...USER, secret: wrong })), 0x0201)
    t.equal(await shown(server, chap({ user: 'nobody', secret: wrong })), 0x0201)
    await t.test('one name that is hidden is not told either [7143 Appendix C]', async t => {
      const initiator = await Initiator.login(portal(server))
      t.same((await initiator.text({ SendTargets: iqn('oneway') })).pairs, [])
      t.same((await initiator.text({ SendTargets: iqn('open') })).values('TargetName'), [iqn('open')])
      await initiator.close()
    })
    await t.test('a normal session sees its own target', async t => {
      await withSession(server, { target: iqn('oneway'), chap: USER }, async initiator => {
        t.same((await initiator.text({ SendTargets: '' })).values('TargetName'), [iqn('oneway')])
      })
    })
  })
})

t.test('discovery with a secret of its own', async t => {
  const config = { targets: TARGETS, discovery: { auth: { chap: { ...OPERATOR, mutual: OWN } } } }
  await withServer(t, { config }, async server => {
    const every = ['blank', 'both', 'modern', 'multi', 'oneway', 'open']
    t.same(await shown(server, chap(OPERATOR, { mutual: OWN })), every, 'shows all targets')
    t.equal(await shown(server, chap(OPERATOR)), 0x0201, 'demands the mutual leg')
    t.equal(await shown(server, {}), 0x0201, 'and is refused without')
    t.equal(await shown(server, { skipSecurity: true }), 0x0201)
    t.same(await shown(server, chap(MODERN, { algorithms: '7' })), ['blank', 'modern', 'multi', 'open'])
    await withSession(server, { target: iqn('open') }, async initiator => {
      t.equal((await initiator.read(0, 1)).length, 512, 'targets without auth are as open as before')
    })
  })
})
