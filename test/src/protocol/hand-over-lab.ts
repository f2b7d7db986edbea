// What the suites of sessions that go from worker to worker share: a server with two session workers, a way to have every session go to the other one, and a look at what the
// process holds when all is over.

import { setTimeout } from 'node:timers/promises'
import type { Test } from 'tap'
import { type EmbeddedServer, withEmbeddedServer } from '../harness/embedded-server.js'
import { iqn } from '../harness/server.js'

const MIB = 1 << 20
/** A shared target with two disks of 64 MiB. */
export const LAB = iqn('lab')
/** With CHAP one way, and mutual. */
export const ONE_WAY = iqn('oneway')
export const SECRET = iqn('secret')
export const CHAP = { user: 'user', secret: '0123456789abcdef' }
export const MUTUAL = { user: 'target', secret: 'fedcba9876543210' }

const targets = [
  { name: 'lab', auth: 'none', luns: [{ sizeBytes: 64 * MIB }, { sizeBytes: 64 * MIB }] },
  { name: 'oneway', auth: { chap: CHAP }, luns: [{ sizeBytes: MIB }] },
  { name: 'secret', auth: { chap: { ...CHAP, mutual: MUTUAL } }, luns: [{ sizeBytes: 8 * MIB }] },
  // So many that their names do not fit one PDU.
  ...Array.from({ length: 10 }, (_, index) => ({ name: `more${index}`, auth: 'none', luns: [{ sizeBytes: MIB }] })),
]

export interface MovingServer extends EmbeddedServer {
  /** Has every session go to the other worker, as often as it takes; the pauses in ms. */
  moveAll(): Promise<number[]>
  /** Has all sessions go to and fro for as long as `use` takes, which may ask how often they have gone; how often in all. */
  restless(use: (moved: () => number) => Promise<void>): Promise<number>
}

/** Starts a server with two session workers and gives it to `use`. */
export async function withMovingServer(t: Test, use: (server: MovingServer) => Promise<void>): Promise<void> {
  await withEmbeddedServer(t, { targets, workers: 2 }, async server => {
    await use({
      ...server,
      moveAll: async () => {
        const pauses = await Promise.all(wanted(server).map(({ session, to }) => moveOne(server, session, to)))
        return pauses.filter(ms => ms !== undefined)
      },
      restless: use => restless(server, use),
    })
  })
}

const PATIENCE_MS = 60_000
/** Longer each time that nothing has moved, lest nothing ever does. */
const RESTLESS_BOUND_MS = 50
const LONGEST_BOUND_MS = 2000
const ENDED = { outcome: 'busy', why: 'it has ended' }

/** Where every session should go. */
function wanted(server: EmbeddedServer): { session: number; to: number }[] {
  const workers = server.workers.threadIds
  return workers.flatMap((id, index) =>
    server.workers.sessionsOn(id).map(session => ({ session, to: workers[(index + 1) % workers.length]! })),
  )
}

/** The pause; undefined when the session has ended. */
async function moveOne(server: EmbeddedServer, session: number, to: number): Promise<number | undefined> {
  const endMs = performance.now() + PATIENCE_MS
  for (;;) {
    if (!server.workers.threadIds.some(id => server.workers.sessionsOn(id).includes(session))) return undefined
    const { outcome, why, pauseMs } = await server.workers.move(session, to)
    if (outcome === 'moved') return pauseMs
    if (outcome === 'dropped' || performance.now() > endMs) throw lost(server, session, `${outcome}: ${why}`)
    await setTimeout(5)
  }
}

function lost(server: EmbeddedServer, session: number, why: string): Error {
  const said = server.log.filter(({ event }) => event === 'session.adopt.failed')
  return new Error(`session ${session} is ${why} ${JSON.stringify(said)}`)
}

async function restless(server: EmbeddedServer, use: (moved: () => number) => Promise<void>): Promise<number> {
  let over = false
  let moved = 0
  let boundMs = RESTLESS_BOUND_MS
  const wander = async () => {
    while (!over) {
      for (const { session, to } of wanted(server)) {
        // It may have ended by now, or be busy.
        const { outcome, why } = await server.workers.move(session, to, boundMs).catch(() => ENDED)
        if (outcome === 'moved') moved++
        boundMs = outcome === 'moved' ? RESTLESS_BOUND_MS : Math.min(2 * boundMs, LONGEST_BOUND_MS)
        if (outcome === 'dropped') throw lost(server, session, `dropped: ${why}`)
      }
      await setTimeout(1)
    }
  }
  const wandering = wander()
  try {
    await use(() => moved)
  } finally {
    over = true
    await wandering
  }
  return moved
}
