/** What a connection needs of the worker it lives in. */
import type { BorrowerRequest, EngineReplies, Requester, WorkerCounters } from '@scsipub/contract'
import type { BorrowedVolumes } from '@scsipub/volume'
import type { Supervisor } from './login-phase.js'
import type { Output } from './output.js'
import type { Session } from './session.js'
import type { Standings } from './standing/standings.js'
import type { TokenFiles } from './token-files.js'

export type StorageEngine = Requester<BorrowerRequest, EngineReplies>

export interface Services {
  readonly standings: Standings
  readonly output: Output
  readonly supervisor: Supervisor
  readonly volumes: BorrowedVolumes
  readonly engine: StorageEngine
  readonly tokenFiles: TokenFiles
  readonly counters: WorkerCounters
  /** The sessions of this worker by their TSIH. */
  readonly sessions: Map<number, Session>
}
