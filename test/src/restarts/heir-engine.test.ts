// An upgrade starts the storage engine's thread ahead. When that one dies the process that goes on holds nothing of it, as any other.

import { testFolder } from '@scsipub/testkit'
import t from 'tap'
import { heldBy, untilNoMoreHeld } from './random/held.js'
import { setUp } from './random/stage.js'
import { endEngine } from './random/thread-ends.js'

await t.test('after an upgrade the storage engine dies: nothing is left of its thread', async t => {
  const { server, dataDir } = await setUp(testFolder(t))
  try {
    const { status, body } = await server.operator('POST /upgrade')
    t.equal(status, 200)
    await server.servedBy(Number(body.to.pid))
    const before = await heldBy(server, dataDir)
    t.comment(await endEngine(server, 'throw'))
    const { held } = await untilNoMoreHeld(server, dataDir, before)
    t.ok(held.messagePorts > 0, 'the ports of its threads are seen')
  } finally {
    await server.kill()
  }
})
