// Initiators that know nothing of it, while their sessions go from worker to worker and all workers are replaced: libiscsi's load generator and suites of its conformance tests, and QEMU's
// block tools, which verify what they read.

import t, { type Test } from 'tap'
import { runSuite } from '../harness/iscsi-test-cu.js'
import { runProgram } from '../harness/run-program.js'
import { LAB, type MovingServer, withMovingServer } from '../protocol/hand-over-lab.js'

/** Of those that pass on a server at rest: data, numbering, reservations, task management. */
const SUITES = ['Read16', 'Write10', 'CompareAndWrite', 'Reserve6', 'ProutReserve', 'iSCSIcmdsn', 'iSCSITMF']
const MOST_ROUNDS = 20

t.test('initiators do not notice', async t => {
  await withMovingServer(t, async server => {
    const url = (lun: number) => `iscsi://127.0.0.1:${server.port}/${LAB}/${lun}`
    await untilMoved(t, 'iscsi-perf', () => load(t, server, url(0)))
    await untilMoved(t, 'qemu-io', () => verified(t, server, url(0)))
    for (const suite of SUITES) {
      const pass = async () => {
        const verdicts = await runSuite([url(1)], suite)
        t.ok(verdicts.length > 0, suite)
        const failed = verdicts.filter(({ passed }) => !passed)
        t.same(failed, [], `${suite}: all of its tests pass`)
      }
      await untilMoved(t, suite, () => server.restless(pass))
    }
  })
})

/** Does `work`, which tells how often sessions have moved meanwhile, until some have: where a move takes long, it can be over before the first. */
async function untilMoved(t: Test, what: string, work: () => Promise<number>): Promise<void> {
  let moved = 0
  for (let round = 0; round < MOST_ROUNDS && moved === 0; round++) moved = await work()
  t.ok(moved > 0, `${what}: ${moved} moves`)
}

/** Replaces all workers, again and again, until `work` is over; how many sessions have moved. */
async function rolled(server: MovingServer, work: Promise<unknown>): Promise<{ moved: number; dropped: number }> {
  const all = { moved: 0, dropped: 0 }
  let over = false
  void work.finally(() => (over = true)).catch(() => {})
  while (!over) {
    for (const id of server.workers.threadIds) {
      const { moved, dropped } = await server.workers.replaceThread(id)
      all.moved += moved
      all.dropped += dropped
    }
  }
  return all
}

async function load(t: Test, server: MovingServer, url: string): Promise<number> {
  const running = runProgram('iscsi-perf', ['--random', '-b', '8', '-m', '32', '-t', '10', url])
  const { moved, dropped } = await rolled(server, running)
  const { code, stdout, stderr } = await running
  t.equal(code, 0, 'iscsi-perf', { stderr })
  const iops = [...stdout.matchAll(/iops average (\d+)/g)].map(match => Number(match[1])).at(-1)
  t.ok((iops ?? 0) > 0, `reads per second: ${iops}`)
  t.equal(dropped, 0)
  return moved
}

async function verified(t: Test, server: MovingServer, url: string): Promise<number> {
  const round = (seed: number) => [
    ...Array.from({ length: 32 }, (_, index) => `aio_write -P ${(index + seed) & 0xff} ${index * 1024}k 300k`),
    'aio_flush',
    ...Array.from({ length: 32 }, (_, index) => `read -P ${(index + seed) & 0xff} ${index * 1024}k 300k`),
  ]
  const commands = [1, 50, 100, 150].flatMap(round).flatMap(command => ['-c', command])
  return server.restless(async () => {
    const { code, stdout, stderr } = await runProgram('qemu-io', ['-f', 'raw', ...commands, url])
    t.equal(code, 0, 'qemu-io', { stdout, stderr })
    t.notMatch(stdout + stderr, /Pattern verification failed|error/i)
  })
}
