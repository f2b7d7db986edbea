/** A connection and a session as the supervisor has them. Kept small: thousands of them are idle. */
import { closeSync, fstatSync } from 'node:fs'
import type { ConnectionEnd } from '@scsipub/contract'
import type { WorkerLife } from './worker-life.js'

export interface HostedConnection {
  readonly id: number
  /** Ours. */
  readonly fd: number
  /** As the kernel has them: the peer's for caps, both as text for logs and listings. */
  readonly peerAddress: string
  readonly remoteAddress: string
  worker: WorkerLife | undefined
  /** Its own, until it joins another one. */
  session: Session
  /** Connection ID, once it has been let into a session. */
  cid: number | undefined
  /** Counted against the caps of its party. */
  admitted: boolean
  /** As the kernel has it. */
  readonly localAddress: string
  /** The session that its first words have named: it is in that one's worker, and goes where it goes. */
  joining: number | undefined
  /** Its parts in other workers that it is being given to, in order. */
  readonly next: NextRun[]
}

/** The part of a connection in the next worker. */
export interface NextRun {
  /** The next worker has, or will have, what the last one had; the end of that one says nothing any more. */
  taken: boolean
  readonly end: Promise<ConnectionEnd>
}

export interface Session {
  /** That of the connection that it began with. */
  readonly id: number
  readonly connections: Set<HostedConnection>
  /** Set by a login that has succeeded, for the log. */
  login:
    | { readonly initiator: string; readonly target: string; readonly tsih: number; readonly user?: string }
    | undefined
  /** It ends, or one of its connections has ended, by a fault of ours: which one. */
  fault: string | undefined
  /** Volumes that end with the session, and the party that they count for. */
  volumeIds: readonly string[]
  peerAddress: string
  /** Who waits for the end. */
  waiting: (() => void)[] | undefined
  /** Settles when the session, which is going from one worker to another, has come to rest; never rejects. */
  moving: Promise<unknown> | undefined
}

/** A session without connections. `known`: what another process has had of it. */
export function newSession(
  id: number,
  known: Partial<Pick<Session, 'login' | 'fault' | 'volumeIds' | 'peerAddress'>>,
): Session {
  return {
    id,
    connections: new Set(),
    login: undefined,
    fault: undefined,
    volumeIds: [],
    peerAddress: '',
    waiting: undefined,
    moving: undefined,
    ...known,
  }
}

export interface Accepted {
  readonly fd: number
  readonly peerAddress: string
  readonly remoteAddress: string
  readonly localAddress: string
}

/**
 * Closes a duplicate that a worker may have died without taking. Its thread is gone, so whatever it had open is closed; if
 * the number still means this very socket, nobody else will close it. Another socket under that number has another inode.
 */
export function closeOrphan(handed: number, held: number): void {
  try {
    const [orphan, own] = [fstatSync(handed), fstatSync(held)]
    if (orphan.ino === own.ino && orphan.dev === own.dev) closeSync(handed)
  } catch {
    // EBADF: the worker has closed it.
  }
}
