// A session goes from one session worker to another, and its initiator does not notice: idle, and with reads and writes under way.

import { cdb, type Initiator } from '@scsipub/testkit'
import t from 'tap'
import { LAB, withMovingServer } from './hand-over-lab.js'
import { BLOCK, content, withSession, withSessions } from './lab.js'

await withMovingServer(t, async server => {
  await t.test('an idle session', async t => {
    await withSession(server, { target: LAB }, async initiator => {
      await initiator.write(0, content(4096, 1))
      const pauses: number[] = []
      for (let turn = 0; turn < 5; turn++) {
        pauses.push(...(await server.moveAll()))
        t.ok((await initiator.read(0, 8)).equals(content(4096, 1)))
        t.same((await initiator.ping(Buffer.from('still there'))).data, Buffer.from('still there'))
      }
      t.equal(pauses.length, 5)
      // The machine may stand still meanwhile, but not each time.
      t.ok(Math.min(...pauses) < 1000, `${pauses} ms`)
      await initiator.logout()
    })
  })

  await t.test('32 commands under way, reads and verified writes, while the session goes 50 times', async t => {
    await withSession(server, { target: LAB }, async initiator => {
      let moving = true
      const lanes = Array.from({ length: 32 }, (_, lane) => work(initiator, lane, () => moving))
      for (let turn = 0; turn < 50; turn++) await server.moveAll()
      moving = false
      const counts = await Promise.all(lanes)
      t.ok(
        counts.every(count => count > 0),
        `${counts}`,
      )
    })
  })

  await t.test(
    'all session workers are replaced, one after the other, under load; nothing of them is left',
    async t => {
      await withSessions(server, { target: LAB, count: 8 }, async (...initiators) => {
        let moving = true
        const lanes = initiators.map((initiator, lane) => work(initiator, 4 * lane + 1, () => moving))
        const before = server.workers.threadIds
        let moved = 0
        for (const id of before) {
          const replacement = await server.workers.replaceThread(id)
          t.equal(replacement.dropped, 0)
          t.ok(replacement.pausesMs.length >= replacement.moved)
          moved += replacement.moved
        }
        moving = false
        const counts = await Promise.all(lanes)
        t.ok(
          counts.every(count => count > 0),
          `${counts}`,
        )
        t.ok(moved >= 8, `${moved} sessions moved`)
        t.equal(server.workers.threadIds.length, 2)
        t.notOk(server.workers.threadIds.some(id => before.includes(id)))
        await t.rejects(server.workers.replaceThread(before[0]!), /there is no session worker/)
      })
    },
  )

  await t.test('a worker is replaced once at a time', async t => {
    const [id = 0] = server.workers.threadIds
    const results = await Promise.allSettled([server.workers.replaceThread(id), server.workers.replaceThread(id)])
    t.match(results, [{ status: 'fulfilled' }, { status: 'rejected', reason: /is being replaced already/ }])
  })
})

/** Writes and reads back, each time something else, in an area of its own; how often. */
async function work(initiator: Initiator, lane: number, goOn: () => boolean): Promise<number> {
  const blocks = [1, 8, 64, 600][lane % 4]!
  const lba = lane * 1024
  let count = 0
  while (goOn()) {
    const data = content(blocks * BLOCK, lane * 1000 + count)
    await initiator.write(lba, data)
    const result = await initiator.executeRead(cdb.read10(lba, blocks), blocks * BLOCK)
    if (!result.data.equals(data)) throw new Error(`lane ${lane}: what was read is not what was written`)
    count++
  }
  return count
}
