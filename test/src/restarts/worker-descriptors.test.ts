// What a thread has of its own goes with it: after workers have ended in several ways the process has as many descriptors of each kind as before.

import { readdirSync, readlinkSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { Initiator } from '@scsipub/testkit'
import t from 'tap'
import { iqn } from '../harness/server.js'
import { content, portal, until } from '../protocol/lab.js'
import { withWorkerLab } from './worker-lab.js'

/** As many as end without a rest. */
const DEATHS = 8

/** Descriptors by what they are: sockets, pipes, what event loops have, files of volumes and others. */
function kinds(): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const fd of readdirSync('/proc/self/fd')) {
    const link = linkOf(fd)
    if (link === undefined || link.startsWith('/proc/')) continue // the one of the list itself
    const kind = link.replace(/\d+/g, '')
    counts[kind] = (counts[kind] ?? 0) + 1
  }
  return counts
}

function linkOf(fd: string): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    return undefined
  }
}

await withWorkerLab(t, {}, async server => {
  await t.test('descriptors after workers have died, with sessions at rest and busy ones', async t => {
    const login = () => Initiator.login(portal(server), { target: iqn('shared') })
    const use = async (initiator: Initiator) => {
      for (const lun of [0, 1]) await initiator.write(0, content(4096, lun), lun)
    }
    const first = [await login(), await login()]
    for (const initiator of first) await use(initiator)
    for (const initiator of first) await initiator.close()
    await server.untilSessions(0)
    await setTimeout(200)
    const before = kinds()
    for (let death = 0; death < DEATHS; death++) {
      const initiators = [await login(), await login()]
      for (const initiator of initiators) await use(initiator)
      const victim = server.workers.threadIds[death % 2]!
      await server.cause(victim, death % 4 < 2 ? 'terminated' : 'throws')
      await server.untilBuried(victim)
      for (const initiator of initiators) await initiator.close()
      await server.untilSessions(0)
    }
    const more = () => Object.entries(kinds()).filter(([kind, count]) => count > (before[kind] ?? 0))
    await until('no kind has more than before', () => more().length === 0, { show: () => JSON.stringify(more()) })
    t.equal(server.count('worker.died'), DEATHS)
  })
})
