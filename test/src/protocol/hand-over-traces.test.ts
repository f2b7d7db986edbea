// What is left of sessions that have gone from worker to worker: nothing. No descriptor, no mapping, no file, in a process whose workers were all replaced in between; and their disks are
// destroyed with them.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { cdb, Wire } from '@scsipub/testkit'
import t from 'tap'
import { LAB, withMovingServer } from './hand-over-lab.js'
import { BLANK, BLOCK, content, portal, until, withSessions } from './lab.js'

interface Held {
  readonly descriptors: number
  readonly mappings: number
}

/** Of this process, which is the server's: sockets and volumes that are open, and bitmaps that are mapped. */
function held(): Held {
  const ofSessions = (target: string) => target.startsWith('socket:') || /overlay|bitmap/.test(target)
  const descriptors = readdirSync('/proc/self/fd').filter(fd => {
    try {
      return ofSessions(readlinkSync(`/proc/self/fd/${fd}`))
    } catch {
      return false // the one by which the folder was read
    }
  })
  const mappings = readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .filter(line => line.includes('bitmap'))
  return { descriptors: descriptors.length, mappings: mappings.length }
}

await withMovingServer(t, async server => {
  await t.test('disks of their own and shared ones, half sent data, connections without a login', async t => {
    const round = async () => {
      const solicited = { keys: { InitialR2T: 'Yes', ImmediateData: 'No' } }
      await withSessions(server, { target: BLANK, count: 3 }, async (...own) => {
        await withSessions(server, { target: LAB, count: 3, ...solicited }, async (...shared) => {
          const silent = await Wire.connect(portal(server))
          for (const [index, initiator] of own.entries()) await initiator!.write(0, content(8 * BLOCK, index))
          for (const initiator of shared) {
            await initiator!.write(0, content(8 * BLOCK, 9))
            initiator!.beginWrite(cdb.write10(8, 8), content(8 * BLOCK, 1))
          }
          for (let turn = 0; turn < 5; turn++) await server.moveAll()
          for (const id of server.workers.threadIds) await server.workers.replaceThread(id)
          for (const [index, initiator] of own.entries())
            t.ok(
              (await initiator!.read(0, 8)).equals(content(8 * BLOCK, index)),
              'a disk of its own goes with its session',
            )
          await server.moveAll()
          await silent.end('reset')
        })
      })
    }
    await round()
    await until('all sessions have ended', () =>
      server.workers.threadIds.every(id => server.workers.sessionsOn(id).length === 0),
    )
    const before = held()
    for (let count = 0; count < 3; count++) await round()
    await until(
      'nothing more is held than before',
      () => {
        const now = held()
        return now.descriptors <= before.descriptors && now.mappings <= before.mappings
      },
      { show: () => JSON.stringify({ before, now: held() }) },
    )
    t.pass('nothing more is held than before')
  })
})
