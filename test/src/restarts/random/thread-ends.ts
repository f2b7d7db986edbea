// Threads that end: the storage engine, which nobody may notice but by the time that it takes, and a session worker, whose busy sessions lose their connections.

import assert from 'node:assert/strict'
import { setTimeout } from 'node:timers/promises'
import type { LogLine } from '../../harness/server.js'
import type { Scene } from './action.js'
import type { OrderAnswer, ThreadFault } from './fault-order.js'
import type { RestartedServer } from './restarted-server.js'

export const FAULTS: readonly ThreadFault[] = ['throw', 'spin', 'heap']
const LOOK_MS = 50
/** From the end of a worker until another one serves in its place; one that spins is missed for five seconds first, or for a minute where it has not much of the processor. */
const BACK_MS = 180_000

export async function endEngine(server: RestartedServer, fault: ThreadFault): Promise<string> {
  const died = server.count('engine.died')
  const back = server.count('engine.restarted')
  const { threadId } = await server.order({ kind: 'end', role: 'storage-engine', index: 0, fault })
  assert.notEqual(threadId, undefined, 'there is a storage engine')
  await server.logged('engine.died', died + 1)
  await server.logged('engine.restarted', back + 1)
  const { ms } = server.log.findLast(({ event }) => event === 'engine.restarted')!
  return `another one was there after ${Math.round(Number(ms))} ms`
}

/** `harsh`: something else is being done to the sessions at the same time. */
export async function endWorker(
  { server, dice, workers, breaks }: Pick<Scene, 'server' | 'dice' | 'workers' | 'breaks'>,
  fault: ThreadFault,
  { harsh = false } = {},
): Promise<string> {
  const { wentOn, lost } = breaks
  const order = async () => {
    // Who is at rest goes on only when the supervisor has been told that it is.
    if (!harsh) await server.order({ kind: 'tell', threads: workers + 1 })
    return server.order({ kind: 'end', role: 'session-worker', index: dice.below(workers), fault })
  }
  const beganMs = performance.now()
  const { pid } = server
  const said = server.log.length
  const untilBack = async ({ threadId }: OrderAnswer) => {
    assert.ok(harsh || threadId !== undefined, 'there is a session worker')
    // Another process of the server may have had a thread of that number.
    if (threadId !== undefined) await untilDead(server, threadId, () => server.log.slice(said), pid)
    await untilServing(server, workers)
  }
  await breaks.death(order, untilBack, { harsh })
  const all = Math.round(performance.now() - beganMs)
  return `all was well after ${all} ms; ${breaks.wentOn - wentOn} of our sessions went on, ${breaks.lost - lost} had to log in again`
}

async function untilDead(
  server: RestartedServer,
  threadId: number,
  log: () => readonly LogLine[],
  pid: number,
): Promise<void> {
  // It may have been about to be replaced; or its process is no more.
  const isDead = () =>
    server.pid !== pid ||
    log().some(line => /^worker\.(died|retired)$/.test(line.event ?? '') && line['threadId'] === threadId)
  for (const end = performance.now() + BACK_MS; !isDead(); await setTimeout(LOOK_MS))
    if (performance.now() > end) throw new Error(`session worker ${threadId} does not end`)
}

async function untilServing(server: RestartedServer, workers: number): Promise<void> {
  for (const end = performance.now() + BACK_MS; ; await setTimeout(LOOK_MS)) {
    const { body } = await server.operator('GET /workers')
    const serving = (body.workers as { state: string }[]).filter(({ state }) => state === 'serving')
    if (serving.length === workers) return
    if (performance.now() > end) throw new Error('a session worker that has ended does not come back')
  }
}
