// Who logs in again: session reinstatement, connection reinstatement, and who must not be disturbed by a login
// [7143 §6.3.1, §6.3.4, §6.3.5].

import { RESERVED_TAG } from '@scsipub/iscsi'
import { cdb, Initiator, identityKeys, LoginRefused, LoginTalk, randomIsid, transit, Wire } from '@scsipub/testkit'
import t from 'tap'
import { iqn, withServer } from '../harness/server.js'
import { BLANK, BLOCK, content, isHeldByServer, portal, takeInWhatIsThere } from './lab.js'

const SHARED = iqn('shared')
const config = { workers: 2, targets: [{ name: 'shared', auth: 'none', luns: [{ sizeBytes: 1 << 20 }] }] }

await withServer(t, { config }, async server => {
  const login = (options: Parameters<typeof Initiator.login>[1]) =>
    Initiator.login(portal(server), { target: BLANK, ...options })

  await t.test(
    'the old connection has ended before the new login is answered, on whichever worker [7143 §6.3.5]',
    async t => {
      const isid = randomIsid()
      const others: Initiator[] = []
      let old = await login({ isid })
      for (let round = 0; round < 6; round++) {
        // An odd number of sessions in between makes the next one start on the other worker.
        others.push(await login({}))
        const wire = await Wire.connect(portal(server))
        const talk = new LoginTalk(wire, { isid })
        await talk.ask(transit(0, 1), { ...identityKeys({ target: BLANK }), AuthMethod: 'None' })
        t.ok(isHeldByServer(server, old.wire), 'the old one lives until the last request')
        await wire.end()
        const next = await login({ isid })
        t.notOk(isHeldByServer(server, old.wire), `round ${round}`)
        await old.wire.closed
        t.not(next.tsih, 0)
        t.same((await next.execute(cdb.testUnitReady())).sense, '6/29/07', 'the loss of the nexus is told [SAM-5 §6.3]')
        t.equal((await next.execute(cdb.testUnitReady())).status, 0, 'once')
        old = next
      }
      for (const other of others) t.equal((await other.read(0, 1)).length, BLOCK, 'other sessions go on')
      await Promise.all([...others, old].map(session => session.close()))
    },
  )

  await t.test('a write of the old session that waits for data never lands [7143 §6.3.5, SAM-5 §6.3]', async t => {
    const isid = randomIsid()
    const keys = { InitialR2T: 'Yes', ImmediateData: 'No' }
    const old = await login({ isid, target: SHARED, keys })
    const before = content(8 * BLOCK, 1)
    await old.write(0, before)
    const data = content(8 * BLOCK, 2)
    const tag = old.beginWrite(cdb.write10(0, 8), data)
    const [r2t] = [await old.wire.inbox.take({ what: 'R2T', matches: pdu => pdu.initiatorTaskTag === tag })]
    t.ok(r2t)
    const next = await login({ isid, target: SHARED, keys })
    t.equal((await next.execute(cdb.testUnitReady())).sense, '6/29/07')
    old.dataOut({ initiatorTaskTag: tag, targetTransferTag: 1, bufferOffset: 0, dataSn: 0, final: true }, data)
    t.same(await next.read(0, 8), before)
    await next.close()
  })

  await t.test('another ISID, name or target is another nexus and disturbs nobody [7143 §3.4.3]', async t => {
    const isid = randomIsid()
    const first = await login({ isid })
    const others = [
      await login({}),
      await login({ isid, initiatorName: 'iqn.2025-01.pub.scsipub.test:another' }),
      await login({ isid, target: SHARED }),
      await Initiator.login(portal(server), { isid }),
    ]
    await takeInWhatIsThere()
    t.notOk(first.wire.over)
    t.equal((await first.read(0, 1)).length, BLOCK)
    await Promise.all([first, ...others].map(session => session.close()))
  })

  await t.test('a second connection for a session is one too many: 0206 [7143 §11.13.5]', async t => {
    const isid = randomIsid()
    const first = await login({ isid, cid: 1 })
    await t.rejects(login({ isid, cid: 2, tsih: first.tsih, skipSecurity: true, keys: {} }), LoginRefused)
    const wire = await Wire.connect(portal(server))
    const talk = new LoginTalk(wire, { isid, cid: 2, tsih: first.tsih })
    t.equal((await talk.ask(transit(1, 3), identityKeys({ target: BLANK }))).status, 0x0206)
    await wire.closed
    t.equal((await first.read(0, 1)).length, BLOCK, 'the session goes on')
    await first.close()
  })

  await t.test(
    'the same connection again takes the place of the old one, and the session goes on [7143 §6.3.4]',
    async t => {
      const first = await login({ cid: 1 })
      const data = content(8 * BLOCK, 3)
      await first.write(0, data)
      const next = await first.addConnection(portal(server), { cid: 1 })
      await first.wire.closed
      t.equal(next.tsih, first.tsih)
      t.same(
        await next.read(0, 8),
        data,
        'the private disk of the session, and no unit attention where no task was ended',
      )
      await next.close()
    },
  )

  await t.test('a TSIH that is not that of the nexus: 020a, and the live session goes on [7143 §6.3.1]', async t => {
    const isid = randomIsid()
    const first = await login({ isid })
    const wire = await Wire.connect(portal(server))
    const talk = new LoginTalk(wire, { isid, tsih: (first.tsih % 0xfffe) + 1 })
    t.equal((await talk.ask(transit(1, 3), identityKeys({ target: BLANK }))).status, 0x020a)
    await wire.closed
    t.equal((await first.read(0, 1)).length, BLOCK)
    await first.close()
  })

  await t.test('a login that fails does not end the session of the same nexus [7143 §6.3.5]', async t => {
    const isid = randomIsid()
    const first = await login({ isid })
    const wire = await Wire.connect(portal(server))
    const talk = new LoginTalk(wire, { isid })
    t.equal((await talk.ask({ csg: 1 }, identityKeys({ target: BLANK }))).status, 0)
    t.equal((await talk.ask({ ...transit(1, 3), initiatorTaskTag: RESERVED_TAG })).status, 0x020b)
    await wire.closed
    t.equal((await first.ping(Buffer.from('alive'))).data.toString(), 'alive')
    await first.close()
  })
})
