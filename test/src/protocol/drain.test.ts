// SIGTERM: the target asks for a logout and gives time for it, lets running work end, and takes nobody new [7143 §11.9.1].

import { AsyncEvent, asyncMessage, LogoutReason } from '@scsipub/iscsi'
import { Initiator } from '@scsipub/testkit'
import t from 'tap'
import { type LogLine, withServer } from '../harness/server.js'
import { BLANK, content, pidOf, portal, untilLogged } from './lab.js'

await t.test('sessions are asked to log out, go on until they do, and then the server ends [7143 §11.9.1]', async t => {
  await withServer(t, { config: { workers: 2 } }, async server => {
    const sessions = await Promise.all([1, 2, 3].map(() => Initiator.login(portal(server), { target: BLANK })))
    process.kill(pidOf(server), 'SIGTERM')
    for (const session of sessions) {
      const message = await session.take(asyncMessage)
      t.match(message, { asyncEvent: AsyncEvent.logoutRequest, asyncVCode: 0 })
      t.ok(message.parameter3 > 0, 'with the seconds that it may take')
    }
    for (const session of sessions) {
      const data = content(4096, 3)
      await session.write(0, data)
      t.same(await session.read(0, 8), data, 'commands go on')
    }
    await t.rejects(
      Initiator.login(portal(server), { target: BLANK }),
      /0301/,
      'nobody new gets in, and is told to try again [7143 §11.13.5]',
    )
    for (const session of sessions) {
      t.equal((await session.logout(LogoutReason.closeSession)).response, 0)
      await session.wire.closed
    }
    const [stopped] = await untilLogged(server, 'server.stopped')
    const ends = server.log.filter(({ event }) => event === 'session.ended')
    t.match(ends, Array(3).fill({ outcome: 'logout' }))
    const tookMs = timeOf(stopped) - timeOf(ends.at(-1))
    t.ok(tookMs < 9000, `it does not wait for its deadline when nobody is left: ${tookMs} ms`)
  })
})

await t.test('an initiator that does not log out is cut off at the deadline [7143 §11.9.1]', async t => {
  await withServer(t, {}, async server => {
    const session = await Initiator.login(portal(server), { target: BLANK })
    const start = performance.now()
    process.kill(pidOf(server), 'SIGTERM')
    const { parameter3 } = await session.take(asyncMessage)
    await session.wire.closed
    const tookMs = performance.now() - start
    t.ok(tookMs > parameter3 * 1000 - 500, `not before its time: ${tookMs} ms of ${parameter3} s`)
    t.ok(tookMs < parameter3 * 1000 + 60_000, `in time: ${tookMs} ms`)
  })
})

/** When the server has logged it. */
function timeOf(line: LogLine | undefined): number {
  return Date.parse(String(line?.time))
}
