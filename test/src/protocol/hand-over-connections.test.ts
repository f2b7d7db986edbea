// Sessions of several connections that go from worker to worker, all connections at once: commands before their turn, task management that waits for them, connections that join meanwhile; and
// connections that end while they are on their way.

import {
  LogoutReason,
  nopOut,
  RESERVED_TAG,
  TaskManagementFunction,
  taskManagementRequest,
  taskManagementResponse,
} from '@scsipub/iscsi'
import { encodeLun } from '@scsipub/scsi'
import { cdb, Initiator, Wire } from '@scsipub/testkit'
import t from 'tap'
import { alive, answered, withConnections } from './connections.js'
import { CHAP, LAB, MUTUAL, SECRET, withMovingServer } from './hand-over-lab.js'
import { BLOCK, content, portal, withSession } from './lab.js'

const ISID = Buffer.from('80a1b2c3d4e6', 'hex')

await withMovingServer(t, async server => {
  const inLab = { target: LAB }

  await t.test(
    'four connections, with commands early and out of order, and their unsolicited data [7143 §4.2.2.1]',
    async t => {
      await withConnections(
        server,
        4,
        async (...all) => {
          const [a, b, c, d] = all
          const first = a.cmdSn
          const datas = [0, 1, 2, 3].map(seed => content(4 * BLOCK, seed))
          const send = (initiator: Initiator, index: number) => {
            const share = { immediate: BLOCK, unsolicited: 4 * BLOCK }
            return initiator.beginWrite(cdb.write10(4 * index, 4), datas[index]!, { share, cmdSn: first + index })
          }
          const last = send(d, 3)
          const second = send(b, 1)
          await d.ping()
          await b.ping()
          await server.moveAll()
          t.notOk(answered(d, last) || answered(b, second), 'their turn has not come')
          const third = send(c, 2)
          await c.ping()
          await server.moveAll()
          const zeroth = send(a, 0)
          a.cmdSn = first + 4
          for (const [initiator, tag] of [
            [a, zeroth],
            [b, second],
            [c, third],
            [d, last],
          ] as const)
            t.equal((await initiator.collect(tag)).status, 0)
          t.ok((await a.read(0, 16)).equals(Buffer.concat(datas)))
          for (const initiator of all) t.ok(await alive(initiator))
        },
        inLab,
      )
    },
  )

  await t.test('task management that waits for earlier commands goes on waiting [7143 §4.2.3.3]', async t => {
    await withConnections(
      server,
      2,
      async (a, b) => {
        const { cmdSn } = a
        const fields = { immediate: true, referencedTaskTag: RESERVED_TAG, lun: encodeLun(0), cmdSn: cmdSn + 2 }
        const held = b.request(taskManagementRequest, { ...fields, function: TaskManagementFunction.abortTaskSet })
        await b.ping()
        await server.moveAll()
        t.notOk(answered(b, held))
        for (const sn of [cmdSn, cmdSn + 1]) {
          const tag = a.sendCommand({ cdb: cdb.testUnitReady(), cmdSn: sn })
          t.equal((await a.collect(tag)).status, 0)
          if (sn === cmdSn) await server.moveAll()
        }
        a.cmdSn = cmdSn + 2
        t.equal((await b.take(taskManagementResponse, held)).response, 0)
      },
      inLab,
    )
  })

  await t.test('connections join and leave a session that goes to and fro [7143 §6.3.1]', async t => {
    const options = { target: SECRET, chap: { ...CHAP, mutual: MUTUAL }, keys: { MaxConnections: '4' }, cid: 1 }
    const first = await Initiator.login(portal(server), options)
    const moved = await server.restless(async moved => {
      for (let round = 0; round < 12 || moved() <= 12; round++) {
        const others = await Promise.all([2, 3, 4].map(cid => first.addConnection(portal(server), { cid })))
        for (const initiator of [first, ...others]) t.ok(await alive(initiator))
        for (const [index, initiator] of others.entries()) await initiator.write(index, content(BLOCK, round))
        t.ok((await first.read(2, 1)).equals(content(BLOCK, round)))
        for (const [index, initiator] of others.entries()) {
          await initiator.logout(LogoutReason.closeConnection, index + 2)
          await initiator.close()
        }
      }
    })
    t.ok(moved > 12, `${moved} moves`)
    await first.close()
  })

  await t.test('a connection of the same ID takes the place of one that moves [7143 §6.3.4]', async t => {
    await server.restless(async () => {
      for (let round = 0; round < 6; round++) {
        const first = await Initiator.login(portal(server), { target: LAB, cid: 1, keys: { MaxConnections: '2' } })
        const second = await first.addConnection(portal(server), { cid: 1 })
        t.ok(await alive(second))
        await first.wire.closed
        await second.close()
      }
    })
  })

  await t.test('session reinstatement of a session that moves [7143 §6.3.5]', async t => {
    await server.restless(async () => {
      for (let round = 0; round < 8; round++) {
        const first = await Initiator.login(portal(server), { target: LAB, isid: ISID })
        const second = await Initiator.login(portal(server), { target: LAB, isid: ISID })
        await first.wire.closed
        t.equal((await second.execute(cdb.testUnitReady())).sense, '6/29/07')
        await second.logout()
        await second.close()
      }
    })
  })

  await t.test('connections that the initiator closes, resets or logs out at the moment of a move', async t => {
    for (let round = 0; round < 24; round++) {
      const initiator = await Initiator.login(portal(server), { target: LAB })
      const write = initiator.executeWrite(cdb.write10(0, 64), content(64 * BLOCK, round)).catch(() => undefined)
      const moves = server.moveAll()
      if (round % 3 === 0) await initiator.close('reset')
      else if (round % 3 === 1) await initiator.close()
      else {
        t.equal((await initiator.logout()).response, 0)
        await initiator.close()
      }
      await Promise.all([moves, write])
    }
    await withSession(server, { target: LAB }, async initiator => {
      t.equal((await initiator.read(0, 64)).length, 64 * BLOCK)
    })
  })

  await t.test('a connection that says nothing, and one that is no initiator', async t => {
    const silent = await Wire.connect(portal(server))
    const strange = await Wire.connect(portal(server))
    strange.sendRaw(Buffer.from('GET / HTTP/1.1\r\n'))
    await server.moveAll()
    strange.send(nopOut.encode({ initiatorTaskTag: 1 }))
    t.ok(await strange.closed)
    await server.moveAll()
    await silent.end()
  })
})
