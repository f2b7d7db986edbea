// Too many sessions of one address: 0301, which initiators try again, and only for as long as there are too many [7143 §11.13.5].

import { Initiator, LoginRefused } from '@scsipub/testkit'
import t from 'tap'
import { iqn, withServer } from '../harness/server.js'
import { BLANK, BLOCK, portal, untilLogged } from './lab.js'

const config = {
  free: { maxSessionsPerAddress: 3, capLoopback: true },
  targets: [{ name: 'shared', auth: 'none', luns: [{ sizeBytes: 1 << 20 }] }],
}

await withServer(t, { config }, async server => {
  const login = (target: string) => Initiator.login(portal(server), { target })
  const refused = (error: unknown) => (error instanceof LoginRefused ? error.status : 0)

  await t.test('a session too many is told 0301, the others go on [7143 §11.13.5]', async t => {
    const sessions = [await login(BLANK), await login(BLANK), await login(iqn('multi'))]
    for (let round = 0; round < 5; round++) t.equal(await login(BLANK).catch(refused), 0x0301)
    for (const session of sessions) t.equal((await session.read(0, 1)).length, BLOCK)
    const shared = await login(iqn('shared'))
    t.equal((await shared.read(0, 1)).length, BLOCK, "an operator's target is not counted")
    await shared.close()
    await Promise.all(sessions.map(session => session.close()))
  })

  await t.test('there is room again when sessions have ended', async t => {
    const before = (await untilLogged(server, 'session.ended', 4)).length
    const stays = await login(BLANK)
    for (let round = 0; round < 10; round++) {
      const sessions = await Promise.all([login(BLANK), login(BLANK)])
      await Promise.all(sessions.map(session => session.close(round % 2 === 0 ? 'fin' : 'reset')))
      await untilLogged(server, 'session.ended', before + 2 * (round + 1))
    }
    t.equal((await stays.read(0, 1)).length, BLOCK)
    await stays.close()
  })
})
