// Several connections in a session: who may join, how a connection or all of them are logged out, what the loss of one does
// to the others, and that nothing is left of any of them [7143 §4.2.2, §6.3, §11.14].

import { AsyncEvent, asyncMessage, LogoutReason, LogoutStatus, scsiCommand } from '@scsipub/iscsi'
import { cdb, Initiator, type LoginOptions, LoginRefused, randomIsid, Wire } from '@scsipub/testkit'
import t from 'tap'
import { iqn, withServer } from '../harness/server.js'
import { alive, connected, r2tFor, statusOf, withConnections } from './connections.js'
import { BLOCK, content, holdings, pidOf, portal, until, untilNoMoreThan } from './lab.js'

const SHARED = iqn('shared')
const SOLICITED = { keys: { InitialR2T: 'Yes', ImmediateData: 'No' } }
const targets = [{ name: 'shared', auth: 'none', luns: [{ sizeBytes: 1 << 20 }, { sizeBytes: 1 << 20 }] }]
const { closed, cidNotFound, recoveryNotSupported } = LogoutStatus

await withServer(t, { config: { workers: 2, targets } }, async server => {
  const at = portal(server)

  for (const [offered, most] of [
    ['1', 1],
    ['2', 2],
    ['3', 3],
    ['4', 4],
    ['65535', 4],
  ] as const) {
    await t.test(
      `MaxConnections=${offered}: ${most}, and one more is refused with 0206 [7143 §13.2, §11.13.5]`,
      async t => {
        const all = await connected(server, most, { keys: { MaxConnections: offered } })
        t.equal(all[0]?.agreed.maxConnections, most)
        t.same(new Set(all.map(({ tsih }) => tsih)).size, 1, 'one session')
        t.equal(await statusOf((all[0] as Initiator).addConnection(at, { cid: 77 })), 0x0206)
        for (const one of all) t.ok(await alive(one))
        await Promise.all(all.map(one => one.close()))
      },
    )
  }

  await t.test(
    'connections of a session see one disk; digests and segments are of each connection [7143 §13]',
    async t => {
      await withConnections(server, 1, async first => {
        const keys = { HeaderDigest: 'CRC32C', DataDigest: 'CRC32C', MaxRecvDataSegmentLength: '1024' }
        const second = await first.addConnection(at, { cid: 9, keys })
        t.match(second.agreed, { headerDigest: true, dataDigest: true })
        const data = content(64 * BLOCK, 1)
        await second.write(0, data)
        t.same(await first.read(0, 64), data)
        const { dataIns } = await second.executeRead(cdb.read10(0, 64), data.length)
        t.equal(dataIns.length, 32, 'pieces of 1024 bytes')
        await second.close()
      })
    },
  )

  await t.test('keys of the session are not negotiated on another connection [7143 §13]', async t => {
    await withConnections(server, 1, async first => {
      t.equal(await statusOf(first.addConnection(at, { cid: 2, keys: { MaxBurstLength: '65536' } })), 0x0200)
      t.ok(await alive(first))
    })
  })

  for (const [what, options] of [
    ['TSIH', (first: Initiator) => ({ tsih: (first.tsih % 0xfffe) + 1 })],
    ['ISID', () => ({ isid: randomIsid() })],
    ['initiator name', () => ({ initiatorName: 'iqn.2025-01.pub.scsipub.test:another' })],
    ['target', () => ({ target: SHARED })],
  ] as [string, (first: Initiator) => LoginOptions][]) {
    await t.test(`another ${what} than that of the session: 020a, and nothing is disturbed [7143 §6.3.1]`, async t => {
      await withConnections(server, 2, async (first, second) => {
        for (const cid of [1, 3]) t.equal(await statusOf(first.addConnection(at, { cid, ...options(first) })), 0x020a)
        t.ok(await alive(first))
        t.ok(await alive(second))
        t.same(first.wire.inbox.unread, [])
      })
    })
  }

  await t.test('a discovery session has one connection [7143 §4.3]', async t => {
    const discovery = await Initiator.login(at, { keys: { MaxConnections: '4' } })
    t.equal(discovery.session.keys.MaxConnections, 'Irrelevant')
    t.equal(await statusOf(discovery.addConnection(at, { cid: 1 })), 0x020a)
    t.ok(await alive(discovery))
    await discovery.close()
  })

  await t.test('a logout with reason 0 ends the session with all connections [7143 §11.14.1]', async t => {
    const all = await connected(server, 3)
    t.equal((await (all[1] as Initiator).logout(LogoutReason.closeSession)).response, closed)
    for (const { wire } of all) await wire.closed
    t.equal(await statusOf((all[0] as Initiator).addConnection(at, { cid: 1 })), 0x020a)
  })

  await t.test(
    'a logout with reason 1 ends the connection that it names, its own or another one [7143 §11.14.1]',
    async t => {
      const [a, b, c] = (await connected(server, 3)) as [Initiator, Initiator, Initiator]
      t.equal((await a.logout(LogoutReason.closeConnection, 9)).response, cidNotFound)
      t.equal((await a.logout(LogoutReason.removeForRecovery, 3)).response, recoveryNotSupported)
      t.equal((await a.logout(LogoutReason.closeConnection, 3)).response, closed)
      await c.wire.closed
      t.equal((await a.logout(LogoutReason.closeConnection, 3)).response, cidNotFound, 'it has gone')
      t.equal((await b.logout(LogoutReason.closeConnection, 2)).response, closed)
      await b.wire.closed
      t.same(a.wire.inbox.unread, [], 'who logs out knows it; no asynchronous message')
      const again = await a.addConnection(at, { cid: 3 })
      t.equal((await a.logout(LogoutReason.closeConnection, 1)).response, closed, 'the first one, too')
      t.equal((await again.read(0, 1)).length, BLOCK, 'the session goes on with the last one')
      t.equal((await again.logout(LogoutReason.closeConnection, 3)).response, closed)
      await again.wire.closed
      t.equal(await statusOf(again.addConnection(at, { cid: 3 })), 0x020a, 'and ends with it')
    },
  )

  await t.test(
    'a connection is lost with reads and writes under way: its tasks end, the others go on [7143 §7.12, §11.14.5]',
    async t => {
      await withConnections(
        server,
        3,
        async (a, b, lost) => {
          const before = content(16 * BLOCK, 1)
          await a.write(0, before)
          await a.write(0, before, 1)
          const own = content(16 * BLOCK, 2)
          const open = a.beginWrite(cdb.write10(16, 16), own)
          const writes = [0, 4, 8].map(lba => lost.beginWrite(cdb.write10(lba, 4), content(4 * BLOCK, 9)))
          for (const tag of writes) await r2tFor(lost, tag)
          lost.sendCommand({ cdb: cdb.read16(0, 2048), read: true, expectedDataTransferLength: 1 << 20 })
          await lost.close('reset')
          const [message] = await Promise.all([a.take(asyncMessage)])
          t.match(message, { asyncEvent: AsyncEvent.connectionDrop, parameter1: 3, parameter3: 0 })
          t.equal((await a.collect(open, own)).status, 0, 'a task of another connection goes on')
          t.equal((await b.execute(cdb.testUnitReady())).sense, '6/47/7f', 'told once, by any connection')
          t.same(await a.read(0, 16), before)
          t.same(await b.read(0, 16, 1), before, 'no unit attention for a LUN without tasks')
          t.same(b.wire.inbox.unread, [], 'one connection is told')
          const next = await b.addConnection(at, { cid: 3 })
          t.same(await next.read(16, 16), own)
          await next.close()
        },
        { ...SOLICITED, target: SHARED },
      )
    },
  )

  await t.test('the session ends with its last connection', async t => {
    const [a, b] = (await connected(server, 2)) as [Initiator, Initiator]
    await a.write(0, content(BLOCK, 1))
    await a.close('reset')
    t.ok(await alive(b))
    await b.close('reset')
    const named = (event: string) => server.log.some(line => line.event === event && line.tsih === a.tsih)
    await until('the session has ended', () => named('session.ended'))
    t.ok(named('connection.added'))
    t.ok(named('connection.ended'))
  })

  await t.test(
    'a connection of a session that ends at any byte leaves nothing behind, and the session goes on',
    async t => {
      await until('the sessions before have ended', () => holdings(server).files.every(file => file.includes('shared')))
      const before = holdings(server)
      const whole = async (first: Initiator, wire: Wire) => {
        const added = await first.addConnectionOn(wire, { cid: 2 })
        await added.ping()
        added.request(scsiCommand, { immediate: true, final: true })
        await added.logout(LogoutReason.closeConnection, 2)
      }
      const sessions = await Promise.all(
        Array.from({ length: 8 }, () => connected(server, 1).then(([first]) => first as Initiator)),
      )
      await Promise.all(sessions.map(first => first.write(0, content(BLOCK, 1))))
      const with8 = holdings(server)
      const dry = await Wire.connect(at)
      await whole(sessions[0] as Initiator, dry)
      await dry.end()
      t.ok(dry.sentBytes > 48 * 4)
      let cutShort = 0
      const run = async (first: Initiator, offset: number) => {
        for (let after = offset; after <= dry.sentBytes; after += sessions.length) {
          const wire = await Wire.connect(at)
          wire.cutAfter(after, after % 3 === 0 ? 'fin' : 'reset')
          await whole(first, wire).catch(() => {
            cutShort += 1
          })
          await wire.end('reset')
          if (!(await alive(first))) t.fail(`the session is dead after byte ${after}`)
        }
      }
      await Promise.all(sessions.map(run))
      t.ok(cutShort > dry.sentBytes * 0.9, `${cutShort} of ${dry.sentBytes} were cut short`)
      await untilNoMoreThan(server, with8)
      await Promise.all(sessions.map(first => first.close()))
      await untilNoMoreThan(server, before)
    },
  )

  await t.test('on SIGTERM each connection is asked to log out [7143 §11.9.1]', async t => {
    const all = (await connected(server, 3)) as [Initiator, Initiator, Initiator]
    process.kill(pidOf(server), 'SIGTERM')
    for (const one of all) t.match(await one.take(asyncMessage), { asyncEvent: AsyncEvent.logoutRequest })
    t.equal(
      await statusOf(all[0].addConnection(at, { cid: 4 }).catch(error => Promise.reject(refusedAtStop(error)))),
      0x0301,
    )
    t.equal((await all[2].logout(LogoutReason.closeConnection, 3)).response, closed)
    await all[0].write(0, content(BLOCK, 1))
    t.equal((await all[1].logout(LogoutReason.closeSession)).response, closed)
    for (const { wire } of all) await wire.closed
  })
})

/** The listener may have closed already. */
function refusedAtStop(error: unknown): unknown {
  return /ECONNREFUSED/.test(String(error)) ? new LoginRefused(0x0301) : error
}
