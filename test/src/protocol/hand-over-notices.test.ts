// What is said to a session in the moment in which it is in no worker: it has it when it goes on, however late the worker that it has left comes to it.

import { BroadcastChannel } from 'node:worker_threads'
import { status } from '@scsipub/scsi'
import { cdb, type Initiator } from '@scsipub/testkit'
import t from 'tap'
import { withEmbeddedServer } from '../harness/embedded-server.js'
import { iqn } from '../harness/server.js'
import { cdbOf, withSessions } from './lab.js'
import { LEFT, TOLD } from './slow-leaving.js'

const target = iqn('lab')
const targets = [{ name: 'lab', auth: 'none', luns: [{ sizeBytes: 1 << 20 }] }]
const workerEntry = new URL('./slow-leaver.js', import.meta.url)
const engineEntry = new URL('./slow-teller.js', import.meta.url)
const D_SENSE = Buffer.from('000000000a0a0610000000' + '00ffff0000', 'hex')

const attention = async (initiator: Initiator) => (await initiator.execute(cdb.testUnitReady())).sense

await t.test('a unit attention for a session that is on its way from worker to worker [SAM-5 §5.14]', async t => {
  const channel = new BroadcastChannel(LEFT)
  const left = new Promise(resolve => {
    channel.onmessage = resolve
  })
  await withEmbeddedServer(t, { targets, workers: 2, workerEntry }, async server => {
    await withSessions(server, { target, count: 2 }, async (...both) => {
      const [one, other] = both as [Initiator, Initiator]
      const [ofOne = 0, ofOther = 0] = server.workers.threadIds
      const [session = 0] = server.workers.sessionsOn(ofOther)
      const moved = server.workers.move(session, ofOne)
      await left
      const selected = one.executeWrite(cdbOf(`15 10 00 00 ${D_SENSE.length.toString(16)}`), D_SENSE)
      t.match(await moved, { outcome: 'moved' })
      t.equal((await selected).status, status.good)
      t.equal(await attention(other), '6/2a/01')
    })
  })
  channel.close()
})

await t.test(
  'one that the engine has told the worker where it goes before it came, and not yet the one that it leaves',
  async t => {
    const channel = new BroadcastChannel(TOLD)
    const told = new Promise(resolve => {
      channel.onmessage = resolve
    })
    await withEmbeddedServer(t, { targets, workers: 2, engineEntry }, async server => {
      await withSessions(server, { target, count: 2 }, async (...both) => {
        const [one, other] = both as [Initiator, Initiator]
        // Workers are told in the order in which they came, and the first session is in the first one.
        const [first = 0] = server.workers.threadIds
        t.same(server.workers.sessionsOn(first), [1])
        const selected = one.executeWrite(cdbOf(`15 10 00 00 ${D_SENSE.length.toString(16)}`), D_SENSE)
        await told
        t.match(await server.workers.move(2, first), { outcome: 'moved' })
        t.equal((await selected).status, status.good)
        t.equal(await attention(other), '6/2a/01')
      })
    })
    channel.close()
  },
)
