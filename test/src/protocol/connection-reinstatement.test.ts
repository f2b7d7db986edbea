// Connections that take the place of others, and connections that come at the same moment as something else happens to their
// session [7143 §6.3.4, §6.3.5].

import { cdb, Initiator, LoginRefused, randomIsid, Wire } from '@scsipub/testkit'
import t from 'tap'
import { withServer } from '../harness/server.js'
import { alive, connected, r2tFor, statusOf, withConnections } from './connections.js'
import { BLANK, BLOCK, content, isHeldByServer, portal, until } from './lab.js'

const SOLICITED = { keys: { InitialR2T: 'Yes', ImmediateData: 'No' } }

await withServer(t, { config: { workers: 2 } }, async server => {
  const at = portal(server)

  await t.test(
    'connection reinstatement: the old one and its tasks end, the rest of the session goes on [7143 §6.3.4]',
    async t => {
      await withConnections(
        server,
        2,
        async (a, old) => {
          const before = await a.read(0, 4)
          const tag = old.beginWrite(cdb.write10(0, 4), content(4 * BLOCK, 9))
          const asked = await r2tFor(old, tag)
          const next = await a.addConnection(at, { cid: 2 })
          await old.wire.closed
          t.equal((await next.execute(cdb.testUnitReady())).sense, '6/47/7f')
          const targetTransferTag = asked.header.readUInt32BE(20)
          next.dataOut(
            { initiatorTaskTag: tag, targetTransferTag, bufferOffset: 0, dataSn: 0, final: true },
            content(4 * BLOCK, 9),
          )
          t.ok(await alive(next), 'data for an ended task are dropped')
          t.same(await a.read(0, 4), before)
          t.same(a.wire.inbox.unread, [])
          const again = await a.addConnection(at, { cid: 2 })
          await next.wire.closed
          t.ok(await alive(again), 'again and again')
          await again.close()
        },
        SOLICITED,
      )
    },
  )

  await t.test('session reinstatement ends all connections of the old session [7143 §6.3.5]', async t => {
    const isid = randomIsid()
    const all = await connected(server, 4, { isid })
    const next = await Initiator.login(at, { target: BLANK, isid })
    for (const { wire } of all) t.notOk(isHeldByServer(server, wire))
    for (const { wire } of all) await wire.closed
    t.not(next.tsih, all[0]?.tsih)
    t.equal((await next.execute(cdb.testUnitReady())).sense, '6/29/07')
    await next.close()
  })

  await t.test('connections that are added at once do not exceed what was agreed on [7143 §13.2]', async t => {
    await withConnections(server, 1, async first => {
      const logins = Array.from({ length: 8 }, (_, index) => first.addConnection(at, { cid: index + 2 }))
      const statuses = await Promise.all(logins.map(statusOf))
      t.same(statuses.sort(), [0, 0, 0, 0x0206, 0x0206, 0x0206, 0x0206, 0x0206])
      const in_ = (await Promise.allSettled(logins)).flatMap(one => (one.status === 'fulfilled' ? [one.value] : []))
      for (const one of in_) t.ok(await alive(one))
      await Promise.all(in_.map(one => one.close()))
    })
  })

  await t.test('of connections with one ID that are added at once, one is left [7143 §6.3.4]', async t => {
    for (let round = 0; round < 5; round++) {
      await withConnections(server, 1, async first => {
        const logins = await Promise.allSettled(Array.from({ length: 4 }, () => first.addConnection(at, { cid: 2 })))
        const in_ = logins.flatMap(one => (one.status === 'fulfilled' ? [one.value] : []))
        await until('one is left', () => in_.filter(({ wire }) => !wire.over).length === 1)
        const [last] = in_.filter(({ wire }) => !wire.over)
        t.equal((await last?.read(0, 1))?.length, BLOCK)
        t.ok(await alive(first))
        await last?.close()
      })
    }
  })

  await t.test('a connection that is added while the session ends gets in or is told that it has ended', async t => {
    for (let round = 0; round < 10; round++) {
      const [first] = (await connected(server, 1)) as [Initiator]
      const wires = await Promise.all([1, 2, 3].map(() => Wire.connect(at)))
      const logins = wires.map((wire, index) => first.addConnectionOn(wire, { cid: index + 2 }))
      const ending = round % 2 === 0 ? first.logout() : first.close('reset')
      const results = await Promise.allSettled([...logins, ending])
      for (const result of results.slice(0, 3)) {
        if (result.status === 'fulfilled') continue
        const { reason } = result
        t.ok(
          reason instanceof LoginRefused ? reason.status === 0x020a : /closed|reset|EPIPE/i.test(String(reason)),
          String(reason),
        )
      }
      await Promise.all(wires.map(wire => wire.end('reset')))
    }
  })
})
