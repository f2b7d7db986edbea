// TARGET COLD RESET: to initiators the target is switched off and on [7143 §11.5.1]. What is told, what ends, what goes on, and that
// nothing is left of it.

import { TaskManagementFunction as Fn, r2t, TaskManagementStatus as Status } from '@scsipub/iscsi'
import { cdb, Initiator, type LoginOptions, randomIsid } from '@scsipub/testkit'
import t from 'tap'
import { iqn, type Server, withServer } from '../harness/server.js'
import { alive, withConnections } from './connections.js'
import {
  BLANK,
  BLOCK,
  content,
  eventually,
  holdings,
  portal,
  until,
  untilLogged,
  untilNoMoreThan,
  withSession,
  withSessions,
} from './lab.js'

const SHARED = iqn('shared')
const OTHER = iqn('other')
const POWER_ON = '6/29/01'
const RESERVATION_CONFLICT = 0x18
const luns = [{ sizeBytes: 1 << 20 }, { sizeBytes: 1 << 20 }]
const targets = ['shared', 'other'].map(name => ({ name, auth: 'none', luns }))
const keys = { InitialR2T: 'Yes', ImmediateData: 'No' }
const reserve6 = Buffer.from('16'.padEnd(32, '0'), 'hex')

/** Resolves when the target has closed the connection, and fails the test when it does not. */
async function closes(initiator: Initiator): Promise<boolean> {
  await until('the target closes the connection', () => initiator.wire.over)
  return true
}

/** The first two answers of a session to TEST UNIT READY: sense, and the status after it. */
async function told(server: Server, options: LoginOptions, lun = 0): Promise<[string | undefined, number]> {
  const initiator = await Initiator.login(portal(server), options)
  try {
    const first = await initiator.execute(cdb.testUnitReady(), lun)
    return [first.sense, (await initiator.execute(cdb.testUnitReady(), lun)).status]
  } finally {
    await initiator.close()
  }
}

await withServer(t, { config: { workers: 3, targets } }, async server => {
  // What the first session of a worker leaves open for the next ones is no leak.
  await withSessions(server, { target: SHARED, count: 3 }, async () => {})
  const ends = (await untilLogged(server, 'session.ended', 3)).length
  const before = holdings(server)

  await t.test('it is answered, and all connections of the target close, in every worker [7143 §11.5.1]', async t => {
    await withSessions(server, { target: SHARED, count: 3, keys }, async (first, second, third) => {
      await second!.write(5, content(BLOCK, 5))
      await third!.execute(reserve6, 1)
      const tag = second!.beginWrite(cdb.write10(0, 1), content(BLOCK, 9))
      await second!.take(r2t, tag)
      t.equal(await first!.manageTask(Fn.targetColdReset), Status.functionComplete)
      for (const initiator of [first, second, third]) t.ok(await closes(initiator!))
      t.notOk(
        second!.wire.inbox.unread.some(pdu => pdu.initiatorTaskTag === tag),
        'the write is not answered',
      )
    })
    const ended = await untilLogged(server, 'session.ended', ends + 3)
    t.match(ended.slice(ends), Array(3).fill({ outcome: 'reset' }))
    t.match(await untilLogged(server, 'target.reset'), [{ target: SHARED, sessions: 3 }])
    await withSession(server, { target: SHARED }, async initiator => {
      t.same(await initiator.read(5, 1), content(BLOCK, 5), 'the data stays')
      t.same(await initiator.read(0, 1), Buffer.alloc(BLOCK), 'the ended write was not carried out')
      t.not((await initiator.execute(cdb.testUnitReady(), 1)).status, RESERVATION_CONFLICT)
    })
    await untilNoMoreThan(server, before)
  })

  await t.test('who logs in again is told of a power on, once on each LUN [SAM-5 §6.3.1]', async t => {
    const [mine, yours, newcomer] = [randomIsid(), randomIsid(), randomIsid()]
    await withSession(server, { target: SHARED, isid: yours }, async second => {
      await withSession(server, { target: SHARED, isid: mine }, async first => {
        t.equal(await first.manageTask(Fn.targetColdReset), Status.functionComplete)
        t.ok(await closes(first))
        t.ok(await closes(second))
      })
    })
    for (const isid of [mine, yours]) {
      await withSession(server, { target: SHARED, isid }, async initiator => {
        for (const lun of [0, 1]) {
          t.equal((await initiator.execute(cdb.testUnitReady(), lun)).sense, POWER_ON)
          t.equal((await initiator.execute(cdb.testUnitReady(), lun)).status, 0)
        }
      })
      t.same((await told(server, { target: SHARED, isid }))[1], 0)
      t.not((await told(server, { target: SHARED, isid }))[0], POWER_ON, 'it was told before')
    }
    t.not((await told(server, { target: SHARED, isid: newcomer }))[0], POWER_ON, 'it was not there')
  })

  await t.test('a login that comes at once is let in, whether the old session has ended or not', async t => {
    const isid = randomIsid()
    await withSession(server, { target: SHARED, isid }, async initiator => {
      t.equal(await initiator.manageTask(Fn.targetColdReset), Status.functionComplete)
      t.same(await told(server, { target: SHARED, isid }), [POWER_ON, 0])
    })
  })

  await t.test('all connections of a session close [7143 §11.5.1]', async t => {
    await withConnections(
      server,
      3,
      async (...all) => {
        t.equal(await all[1].manageTask(Fn.targetColdReset), Status.functionComplete)
        for (const connection of all) t.ok(await closes(connection))
      },
      { target: SHARED },
    )
    await untilNoMoreThan(server, before)
  })

  await t.test('reservation, mode parameters and tasks of another target stay, and its sessions', async t => {
    await withSession(server, { target: OTHER }, async other => {
      t.equal((await other.execute(reserve6)).status, 0)
      await withSession(server, { target: SHARED }, async initiator => {
        t.equal(await initiator.manageTask(Fn.targetColdReset), Status.functionComplete)
        t.ok(await closes(initiator))
      })
      t.ok(await alive(other))
      t.equal((await other.execute(cdb.testUnitReady())).status, 0)
      await withSession(server, { target: OTHER }, async stranger => {
        t.equal((await stranger.execute(cdb.testUnitReady())).status, RESERVATION_CONFLICT)
      })
    })
  })

  await t.test('on a free target the session of the asker ends, and nobody else hears of it', async t => {
    const isid = randomIsid()
    await withSession(server, {}, async stranger => {
      await stranger.write(7, content(BLOCK, 7))
      await withSession(server, { isid }, async initiator => {
        t.equal(await initiator.manageTask(Fn.targetColdReset), Status.functionComplete)
        t.ok(await closes(initiator))
      })
      t.equal((await stranger.execute(cdb.testUnitReady())).status, 0)
      t.same(await stranger.read(7, 1), content(BLOCK, 7))
      t.same(await told(server, { target: BLANK, isid }), [POWER_ON, 0])
    })
    await untilNoMoreThan(server, before)
  })

  await t.test('a reset whose asker closes at once leaves a server that serves', async t => {
    await withSessions(server, { target: SHARED, count: 2 }, async (first, second) => {
      void first!.manageTask(Fn.targetColdReset).catch(() => {})
      await first!.close('reset')
      await second!.execute(cdb.testUnitReady()).catch(() => {})
    })
    // The reset may still be on its way, and take the first of these with it.
    const serves = () => withSession(server, { target: SHARED }, async one => void (await one.ping())).then(() => true)
    t.ok(await eventually(() => serves().catch(() => false), true))
    await untilNoMoreThan(server, before)
  })
})
