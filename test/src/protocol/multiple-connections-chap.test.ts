// Each connection of a session authenticates itself, as the first one did, before it gets near the session [7143 §6.3.2, §9.2].

import { Initiator, LoginRefused } from '@scsipub/testkit'
import t from 'tap'
import { withServer } from '../harness/server.js'
import { BOTH, keepsSecrets, ONE_WAY, OWN, TARGETS, USER } from './chap-lab.js'
import { BLOCK, portal } from './lab.js'

const keys = { MaxConnections: '2' }

await withServer(t, { config: { workers: 2, targets: TARGETS } }, async server => {
  for (const [what, target, chap] of [
    ['CHAP', ONE_WAY, USER],
    ['mutual CHAP', BOTH, { ...USER, mutual: OWN }],
  ] as const) {
    await t.test(`a connection is added with ${what}, and refused without it or with another secret: 0201`, async t => {
      const first = await Initiator.login(portal(server), { target, chap, keys, cid: 1 })
      const own = await first.addConnection(portal(server), { cid: 2 })
      t.equal((await own.read(0, 1)).length, BLOCK)
      const wrong = { ...chap, secret: 'not the right one' }
      for (const cid of [1, 2, 3]) {
        const refused = first.addConnection(portal(server), { cid, chap: wrong })
        t.match(await refused.catch((error: unknown) => error), new LoginRefused(0x0201))
        const { isid, tsih } = { isid: first.session.last.isid, tsih: first.tsih }
        const without = Initiator.login(portal(server), { target, cid, isid, tsih, session: first.agreed })
        t.match(await without.catch((error: unknown) => error), new LoginRefused(0x0201))
      }
      t.equal((await first.ping()).data.length, 0, 'nobody was disturbed')
      t.equal((await own.ping()).data.length, 0)
      await Promise.all([first.close(), own.close()])
    })
  }
  keepsSecrets(t, server)
})
