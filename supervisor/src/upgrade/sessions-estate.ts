/** The sessions of a server on their way to another process; plain data, but for the numbers of descriptors. */
import type { EngineNotice, SessionRecord } from '@scsipub/contract'
import type { HostedConnection, Session } from '../session-host.js'

/** `fd`: of the process that reads it. `sessionId`: its session's. */
export interface ConnectionEstate
  extends Pick<
    HostedConnection,
    'id' | 'fd' | 'peerAddress' | 'remoteAddress' | 'localAddress' | 'cid' | 'admitted' | 'joining'
  > {
  readonly sessionId: number
}

export type SessionEstate = Pick<Session, 'id' | 'login' | 'volumeIds' | 'fault'>

/** What one worker goes on with: a session, or a connection that has not logged in. */
export interface UnitEstate {
  readonly record: SessionRecord
  /** In the order of the record. */
  readonly connectionIds: readonly number[]
  /** What the storage engine has said since the record was made. */
  readonly notices: readonly EngineNotice[]
}

export interface SessionsEstate {
  /** The number that was given to a connection or session last. What is named after one may outlive it. */
  readonly lastId: number
  readonly sessions: readonly SessionEstate[]
  readonly connections: readonly ConnectionEstate[]
  readonly units: readonly UnitEstate[]
}
