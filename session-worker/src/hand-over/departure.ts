/**
 * A session leaves its worker: its connections stop reading at the next PDU boundary, what is under way ends, and in the one synchronous section in which nothing is, the
 * record is made and all is let go. What takes too long is not waited for: the session goes on here, and is asked again later.
 *
 * Its descriptors are closed here, which the connections do not notice: the supervisor has one of each. Volumes are given back, and nothing of what the session
 * holds of a unit.
 */
import { setTimeout } from 'node:timers/promises'
import { type ControlBlocks, HAND_OVER_VERSION, type SessionRecord } from '@scsipub/contract'
import type { ConnectionActor } from '../connection-actor.js'
import type { Session } from '../session.js'

/** How often it is looked at whether something is still under way, in ms. */
const LOOK_MS = 1
/** Most that counts from one look to the next: in a thread that stood still what is under way could not end either. */
const MAX_STEP_MS = 25

/** A session that is gone, with all that the next worker needs. `volumes`: whose notices are still the session's. */
export interface Departed {
  readonly record: SessionRecord
  readonly controls: ControlBlocks
  readonly volumes: ReadonlySet<string>
}

/** Lets go of these connections, which are those of one session, or says why not once what is under way has had `boundMs` to end. `hadNotices` is asked at the last moment. */
export async function depart(
  connections: readonly ConnectionActor[],
  { boundMs, hadNotices }: { boundMs: number; hadNotices: () => number[] },
): Promise<Departed | { readonly busy: string }> {
  let leftMs = boundMs
  for (const connection of connections) connection.hold()
  for (;;) {
    const session = connections.find(({ session }) => session)?.session
    const busy = obstacle(connections, session)
    if (busy === undefined) return letGo(connections, session, hadNotices())
    if (leftMs <= 0) {
      for (const connection of connections) connection.letGo()
      return { busy }
    }
    const lookedMs = performance.now()
    await setTimeout(LOOK_MS)
    leftMs -= Math.min(MAX_STEP_MS, performance.now() - lookedMs)
  }
}

function obstacle(connections: readonly ConnectionActor[], session: Session | undefined): string | undefined {
  for (const connection of connections) {
    if (connection.session && connection.session !== session) return 'a connection has gone to another session'
    if (connection.obstacle !== undefined) return connection.obstacle
  }
  return session?.obstacle(new Set(connections))
}

function letGo(connections: readonly ConnectionActor[], session: Session | undefined, hadNotices: number[]): Departed {
  const volumes = [...(session?.luns.values() ?? [])].map(({ volume }) => volume.descriptor)
  const record: SessionRecord = {
    version: HAND_OVER_VERSION,
    ...(session && { session: { ...session.record(), hadNotices } }),
    connections: connections.map(connection => connection.record()),
  }
  const departed = {
    record,
    controls: Object.fromEntries(volumes.map(({ spec, control }) => [spec.volumeId, control])),
    volumes: new Set(volumes.map(({ spec }) => spec.volumeId)),
  }
  for (const connection of connections) connection.send({ type: 'connection.handedOver' })
  session?.leaveBehind()
  return departed
}
