/** Workers that die while they are replaced, and threads that end before anybody has heard of them. Real server; the worker speaks JSON in place of iSCSI. */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { createWorkerCounters } from '@scsipub/contract'
import { testFolder } from '@scsipub/testkit'
import t, { type Test } from 'tap'
import type { Harness, Peer } from '../fixtures/harness.js'
import { ADMIN_TOKEN, call, refusedWith } from '../fixtures/http-calls.js'
import { granted, start } from '../fixtures/steps.js'
import { Later } from '../later.js'
import { createLog } from '../log.js'
import { SessionPool } from '../pool.js'
import { DEFAULT_LIMITS } from '../server-options.js'

const token = ADMIN_TOKEN
const env = { SCSIPUB_ADMIN_TOKEN: ADMIN_TOKEN }
const NO_WORKER = 'SCSIPUB_TEST_NO_WORKER'
const ENTRY = new URL('../fixtures/json-worker.js', import.meta.url)

const restart = (api: string, body: unknown) => call(api, 'POST /api/admin/workers/restart', { token, body })
const workers = async (api: string) => (await call(api, 'GET /api/admin/workers', { token })).body.workers

/** No further thread starts, in that way, until the test ends or it is taken back. */
function noWorker(t: Test, how: string): () => void {
  process.env[NO_WORKER] = how
  const undo = () => delete process.env[NO_WORKER]
  t.teardown(undo)
  return undo
}

/** As `noWorker`; a thread that is begun fails when it is let go. */
function heldWorkers(t: Test): { letGo: () => void; undo: () => void } {
  const file = join(testFolder(t), 'held')
  writeFileSync(file, '')
  return { letGo: () => rmSync(file), undo: noWorker(t, file) }
}

/** Threads that are given connections. */
async function threads(server: Harness): Promise<Set<number>> {
  const peers: Peer[] = []
  for (let count = 0; count < 9; count++) peers.push(await server.connect())
  const answers = await Promise.all(peers.map(peer => peer.send({ do: 'where' })))
  for (const peer of peers) peer.socket.destroy()
  return new Set(answers.map(answer => Number(answer?.['threadId'])))
}

/** A worker that does not let go of its session, and its number. */
async function busyWorker(server: Harness, api: string): Promise<{ peer: Peer; number: number; threadId: number }> {
  const peer = await server.connect()
  granted(await peer.open())
  await peer.send({ do: 'busy' })
  const threadId = Number((await peer.send({ do: 'where' }))?.['threadId'])
  const number = (await workers(api)).findIndex(({ sessions }: { sessions: number }) => sessions === 1)
  return { peer, number, threadId }
}

t.test('a worker that dies while it is replaced has died; one comes after it, and no more', async t => {
  const server = start(t, { env })
  const api = await server.api()
  const { peer, number, threadId } = await busyWorker(server, api)
  const restarted = restart(api, { worker: number })
  await server.logged('restart.began')
  await server.logged('worker.ready', () => server.log.filter(({ event }) => event === 'worker.ready').length >= 3)
  void peer.send({ do: 'crash' })
  await server.logged('worker.died', line => line['threadId'] === threadId)
  const { status, body } = await restarted
  t.equal(status, 200, JSON.stringify(body))
  const seen = await workers(api)
  t.match(seen[number], { state: 'serving', replaced: 0, died: 1 })
  t.match(seen[1 - number], { state: 'serving', replaced: 0, died: 0 })
  await setTimeout(500) // were there another thread it would be up by then
  t.equal((await threads(server)).size, 2)
  const metrics = await (await fetch(`${api}/metrics`)).text()
  t.match(metrics, `scsipub_worker_died_total{worker="${number}"} 1`)
  t.match(metrics, 'scsipub_worker_restarts_total{reason="asked"} 0')
})

t.test('one that dies while the next one cannot start leaves its place to another', async t => {
  const server = start(t, { env, limits: { restMs: 500 } })
  const api = await server.api()
  const { peer, number, threadId } = await busyWorker(server, api)
  const { letGo, undo } = heldWorkers(t)
  const restarted = restart(api, { worker: number })
  await server.logged('restart.began')
  void peer.send({ do: 'crash' })
  await server.logged('worker.died', line => line['threadId'] === threadId)
  letGo()
  refusedWith(t, await restarted, 'worker-cannot-start')
  await server.logged('worker.rests')
  undo()
  await server.logged('worker.ready', () => server.log.filter(({ event }) => event === 'worker.ready').length >= 3)
  t.equal((await threads(server)).size, 2)
  t.match((await workers(api))[number], { state: 'serving', replaced: 0, died: 1 })
})

/** A pool of one worker without a server around it. */
async function poolOfOne(
  t: Test,
  onFailure: (why: string) => void = why => t.fail(why),
  detach = async () => {},
): Promise<SessionPool> {
  const pool = await SessionPool.start({
    entry: ENTRY,
    workers: 1,
    log: createLog('silent'),
    counters: createWorkerCounters(),
    onUsable: () => {},
    attach: async (_worker, port) => port.close(),
    detach,
    serve: async () => ({}),
    restMs: 1_000,
    deaths: DEFAULT_LIMITS.deaths,
    onFailure,
  })
  t.teardown(() => pool.close())
  return pool
}

t.test('the only worker dies, and the one that was to replace it cannot start: that is the end', async t => {
  const failures: string[] = []
  const pool = await poolOfOne(t, why => failures.push(why))
  const [worker] = pool.workers
  const { letGo } = heldWorkers(t)
  worker!.retiring = true
  const added = pool.add()
  worker!.terminate('the test wants it')
  await worker!.buried
  t.same(failures, [], 'another one may still come')
  letGo()
  await t.rejects(added, /cannot start on purpose/)
  pool.keep(worker!)
  t.same(failures, ['no session worker is left'])
})

t.test('a worker dies just before the server stops, which is no failure', async t => {
  const detach = new Later<void>()
  const begun = new Later<void>()
  const pool = await poolOfOne(
    t,
    why => t.fail(why),
    () => {
      begun.resolve()
      return detach.promise
    },
  )
  const [worker] = pool.workers
  worker!.terminate('the test wants it')
  await begun.promise
  await pool.close()
  detach.resolve()
  await worker!.buried
  t.same(pool.workers, [])
})

t.test('the slot of a thread that ends before its first word is free again', async t => {
  const pool = await poolOfOne(t)
  t.equal(pool.slotsTaken, 1)
  const undo = noWorker(t, 'wordless')
  for (let count = 0; count < 3; count++) await t.rejects(pool.add(), /ends before its first word/)
  undo()
  while (pool.slotsTaken > 1) await setTimeout(10) // the threads end
  const another = await pool.add()
  t.equal(pool.slotsTaken, 2)
  await pool.remove(another)
  t.equal(pool.slotsTaken, 1, 'and that of one that was heard of')
})
