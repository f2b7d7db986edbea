/**
 * Gives a recorded session to a worker. The record may come from a worker that has let go of it (`session-move.ts`), from what a dead worker has left in
 * shared memory, or from another process; so all that is asked for is plain data, and beside it a descriptor and a `HostedConnection` for each connection, and
 * the control blocks of the volumes as the storage engine has them now. Who takes over from another process makes sessions and connections in the host first.
 *
 * Until the last step nothing is read, sent or done for the session: when this fails before, the record is still good, and another worker can have it.
 */
import type { ConnectionEnd, ControlBlocks, EngineNotice, SessionRecord } from '@scsipub/contract'
import { dup } from '@scsipub/posix'
import { closeOrphan, type HostedConnection } from '../hosted-connection.js'
import type { SessionHost } from '../session-host.js'
import type { WorkerLife } from '../worker-life.js'

export interface Adoption {
  readonly moveId: number
  readonly record: SessionRecord
  readonly controls: ControlBlocks
  /** In the order of the record. */
  readonly connections: readonly HostedConnection[]
}

/** A session that has come. `ends`: of its connections, in order; each rejects when the worker dies. `hadNotices`: the last ones that its worker had before it. */
export interface Adopted {
  readonly hadNotices: number[]
  readonly ends: readonly Promise<ConnectionEnd>[]
  /** Begins. `notices`: what the storage engine has said since the record was made to whoever had the session. */
  go(notices: readonly EngineNotice[]): Promise<void>
}

/**
 * Puts the session together in `worker`, where it hears the storage engine from now on.
 * @throws Error when the worker cannot take it, or dies; nothing has changed then
 */
export async function adoptSession(
  { moveId, record, controls, connections }: Adoption,
  worker: WorkerLife,
  host: Pick<SessionHost, 'continueOn'>,
): Promise<Adopted> {
  const descriptors = connections.map(({ fd }) => dup(fd))
  let hadNotices: number[]
  try {
    hadNotices = (await worker.require({ kind: 'session.adopt', moveId, record, controls, descriptors })) as number[]
  } catch (error) {
    // A worker that lives has closed them itself.
    if (worker.isGone) for (const [index, fd] of descriptors.entries()) closeOrphan(fd, connections[index]!.fd)
    throw error
  }
  const ends = connections.map((connection, index) => host.continueOn(connection, worker, descriptors[index]!))
  return {
    hadNotices,
    ends,
    go: async notices => {
      await worker.require({ kind: 'session.go', moveId, notices: [...notices] })
    },
  }
}

/** Ends a session that was put together and cannot begin. It is a fault of ours. */
export function abandon(connections: readonly HostedConnection[], why: string): void {
  for (const { id, worker, session } of connections) {
    session.fault ??= why
    worker?.tell({ kind: 'connection.end', connectionId: id, outcome: 'dropped', why })
  }
}
