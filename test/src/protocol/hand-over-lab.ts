// What the suites of sessions that go from worker to worker share: a server with two session workers, a way to have every session go to the other one, and a look at what the
// process holds when all is over.

import { setTimeout } from 'node:timers/promises'
import type { Test } from 'tap'
import { type EmbeddedServer, withEmbeddedServer } from '../harness/embedded-server.js'
import { iqn } from '../harness/server.js'

const MIB = 1 << 20
/** A shared target with two disks of 64 MiB. */
export const LAB = iqn('lab')
const CHAP = { user: 'user', secret: '0123456789abcdef' }
const MUTUAL = { user: 'target', secret: 'fedcba9876543210' }

const targets = [
  { name: 'lab', auth: 'none', luns: [{ sizeBytes: 64 * MIB }, { sizeBytes: 64 * MIB }] },
  { name: 'secret', auth: { chap: { ...CHAP, mutual: MUTUAL } }, luns: [{ sizeBytes: 8 * MIB }] },
]

export interface MovingServer extends EmbeddedServer {
  /** Has every session go to the other worker, as often as it takes; the pauses in ms. */
  moveAll(): Promise<number[]>
}

/** Starts a server with two session workers and gives it to `use`. */
export async function withMovingServer(t: Test, use: (server: MovingServer) => Promise<void>): Promise<void> {
  await withEmbeddedServer(t, { targets, workers: 2 }, async server => {
    await use(Object.assign(Object.create(server) as EmbeddedServer, { moveAll: () => moveAll(server) }))
  })
}

const PATIENCE_MS = 10_000

async function moveAll(server: EmbeddedServer): Promise<number[]> {
  const workers = server.workers.threadIds
  const wanted = workers.flatMap((id, index) =>
    server.workers.sessionsOn(id).map(session => ({ session, to: workers[(index + 1) % workers.length]! })),
  )
  return Promise.all(wanted.map(({ session, to }) => moveOne(server, session, to)))
}

async function moveOne(server: EmbeddedServer, session: number, to: number): Promise<number> {
  const endMs = performance.now() + PATIENCE_MS
  for (;;) {
    const { outcome, why, pauseMs } = await server.workers.move(session, to)
    if (outcome === 'moved') return pauseMs
    if (outcome === 'dropped' || performance.now() > endMs) {
      const said = server.log.filter(({ event }) => event === 'session.adopt.failed')
      throw new Error(`session ${session} is ${outcome}: ${why} ${JSON.stringify(said)}`)
    }
    await setTimeout(5)
  }
}
