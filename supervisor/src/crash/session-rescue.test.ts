/** Who goes on after a worker's death and what the storage engine is told, with stubs for the worker, the engine and what is known of the sessions. */
import { closeSync, openSync } from 'node:fs'
import { HAND_OVER_VERSION } from '@scsipub/contract'
import t, { type Test } from 'tap'
import type { HostedConnection, Session } from '../hosted-connection.js'
import type { WorkerLife } from '../worker-life.js'
import { SessionRescue } from './session-rescue.js'
import type { Standings } from './standings.js'

const DEAD = { threadId: 1, slot: 3, buried: Promise.resolve() } as unknown as WorkerLife
const ORPHANS = 7

/** Sessions of one connection each; `takes` says whether the next worker takes one, by its number. */
function lab(sessions: readonly Session[], takes: (id: number) => boolean) {
  const told: { kind: string; [key: string]: unknown }[] = []
  const next = {
    threadId: 2,
    isGone: false,
    tell: (notice: { kind: string }) => void told.push(notice),
    require: async (notice: {
      kind: string
      descriptors?: number[]
      record?: { connections: { connectionId: number }[] }
    }) => {
      for (const fd of notice.descriptors ?? []) closeSync(fd)
      if (notice.record && !takes(notice.record.connections[0]!.connectionId)) throw new Error('it does not want to')
      if (notice.kind === 'session.go') told.push(notice)
    },
  } as unknown as WorkerLife
  const blamed: number[] = []
  const rescue = new SessionRescue({
    hosts: () =>
      ({ sessionsOn: () => [...sessions], continueOn: () => Promise.resolve({ outcome: 'logout', why: '' }) }) as never,
    pools: () => ({ leastLoaded: () => next, untilUsable: async () => {} }),
    engine: async () => ({
      ask: (async (request: { kind: string }) => {
        told.push(request)
        return { notices: [{ kind: 'unit.attention', noticeId: 1 }] }
      }) as never,
      detach: async (slot, kept) => {
        told.push({ kind: 'worker.detach', slot, kept })
        return { orphans: ORPHANS }
      },
    }),
    standings: {
      lastWord: (_session: Session, connections: readonly HostedConnection[]) => ({
        record: { version: HAND_OVER_VERSION, connections: connections.map(({ id }) => ({ connectionId: id })) },
        controls: {},
      }),
    } as unknown as Standings,
    log: { info: () => {}, warn: () => {} },
    blame: sessions => blamed.push(...sessions.map(({ id }) => id)),
    stopping: () => false,
  })
  return { rescue, told, blamed }
}

function sessionOf(
  t: Test,
  id: number,
  more: Partial<Session> = {},
): { session: Session; connection: HostedConnection } {
  const fd = openSync('/dev/null', 'r')
  t.teardown(() => closeSync(fd))
  const connection = { id, fd } as HostedConnection
  const session = { id, connections: new Set([connection]), login: {}, ...more } as unknown as Session
  return { session, connection }
}

t.test(
  'one that no worker takes is told to the engine as lost, so that nothing stays held for it; the others go on',
  async t => {
    const [good, bad] = [sessionOf(t, 11), sessionOf(t, 12)]
    const { rescue, told } = lab([good.session, bad.session], id => id !== 12)
    await rescue.bury(DEAD)
    t.match(told, [{ kind: 'worker.detach', slot: 3, kept: [11, 12] }])
    t.ok(good.session.moving, 'who wants something of it waits')
    t.ok(await rescue.next(good.connection, DEAD))
    t.equal(await rescue.next(bad.connection, DEAD), undefined)
    t.match(told.slice(1), [
      { kind: 'worker.orphans', orphans: ORPHANS, lost: [12] },
      { kind: 'session.go', notices: [{ noticeId: 1 }] },
    ])
    t.equal(good.session.moving, undefined, 'it has come to rest')
    t.equal(bad.session.moving, undefined)
  },
)

t.test('one that is on its way to another worker, is wanted to end, or has not logged in is left alone', async t => {
  const { session: stays } = sessionOf(t, 11)
  const others = [
    sessionOf(t, 12, { moving: Promise.resolve() }),
    sessionOf(t, 13, { waiting: [] }),
    sessionOf(t, 14, { login: undefined }),
  ]
  const { rescue, told, blamed } = lab([stays, ...others.map(({ session }) => session)], () => true)
  await rescue.bury(DEAD)
  t.match(told, [{ kept: [11] }])
  for (const { connection } of others) t.equal(await rescue.next(connection, DEAD), undefined)
  t.same(blamed, [])
})
