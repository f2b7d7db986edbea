// A login has 15 s, however it dawdles; a stranger's silence must not hold a connection longer.

import { setTimeout } from 'node:timers/promises'
import { identityKeys, LoginTalk, transit, Wire } from '@scsipub/testkit'
import t from 'tap'
import { withServer } from '../harness/server.js'
import { BLANK, holdings, portal, untilNoMoreThan, withSession } from './lab.js'

const LOGIN_MS = 15_000
/** The server's timers are not exact, and the machine may be busy: that it ends is what counts. */
const TOLERANCE_MS = 60_000

await withServer(t, {}, async server => {
  // The first sessions open what stays open: both workers have to have had one.
  for (let count = 0; count < 4; count++)
    await withSession(server, {}, async initiator => void (await initiator.read(0, 1)))
  await setTimeout(200)
  const before = holdings(server)

  const dawdlers: Readonly<Record<string, (wire: Wire) => Promise<unknown>>> = {
    'a connection on which nothing comes': async () => {},
    'a connection with a part of a header': async wire => wire.sendRaw(Buffer.from('4381', 'hex')),
    'a login that stops half way': wire =>
      new LoginTalk(wire).ask(transit(0, 1), { ...identityKeys({ target: BLANK }), AuthMethod: 'None' }),
    'a header that comes byte by byte': async wire => {
      const timer = setInterval(() => wire.sendRaw(Buffer.from([0x43])), 500)
      await wire.closed
      clearInterval(timer)
    },
  }

  await t.test('a login that is not over after 15 s is closed', async t => {
    const closings = Object.entries(dawdlers).map(async ([title, dawdle]) => {
      const start = performance.now() // before the server's clock begins
      const wire = await Wire.connect(portal(server))
      await dawdle(wire)
      await wire.closed
      const tookMs = performance.now() - start
      t.ok(tookMs > LOGIN_MS - 100 && tookMs < LOGIN_MS + TOLERANCE_MS, `${title}: ${tookMs} ms`)
      t.same(wire.inbox.unread, [], 'without an answer')
    })
    await Promise.all(closings)
  })

  await t.test('nothing is left of them', async () => {
    await untilNoMoreThan(server, before)
  })
})
