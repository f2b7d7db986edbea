/** What a server is started with: the configuration, where its threads begin, and its time limits. */
import type { Config } from '@scsipub/config'
import type { IntensityLimits } from './crash/intensity.js'
import type { PoisonLimits } from './crash/poison.js'
import type { EngineLimits } from './engine.js'
import type { ReplacementLimits } from './hand-over/worker-replacement.js'
import type { Log } from './log.js'
import type { EndLimits } from './session-host.js'
import type { ListeningSockets } from './systemd/activation.js'
import type { UpgradeReport } from './upgrade/estate.js'
import type { Succession } from './upgrade/succession.js'

export interface ServerOptions {
  readonly config: Config
  readonly log: Log
  readonly engineEntry: URL
  readonly workerEntry: URL
  /** Called when a part has ended without which the server cannot go on. */
  readonly onFailure: (why: string) => void
  /** Called when the operator wants the server to stop. */
  readonly onStopRequest: (why: string) => void
  readonly limits?: Partial<ServerLimits>
  /** Sockets that somebody has opened already; the others are opened as the configuration says. */
  readonly sockets?: ListeningSockets
  /** Set in a process that an upgrade has started: it goes on with what another one has. */
  readonly succession?: Succession | undefined
  /** Replaces this process by another one; see `Upgrade.request`. */
  readonly upgrade?: () => Promise<UpgradeReport>
}

export interface ServerLimits extends EndLimits, Partial<ReplacementLimits> {
  /** How long sessions may take to end by themselves when the server stops. */
  readonly drainMs: number
  readonly engine?: Partial<EngineLimits>
  /** How long a worker that dies too often, or cannot start, is not started again. */
  readonly restMs: number
  /** How often the worker of one seat may die and be started again at once. */
  readonly deaths: IntensityLimits
  /** How long anonymous disks are kept after a fault of ours. */
  readonly keptMs?: number
  /** Whose logins are refused, after how many faults. */
  readonly poison?: PoisonLimits
  /** How long sessions that are too busy for an upgrade may take to log out. */
  readonly logoutMs: number
  /** The clock of planned restarts, in milliseconds since 1970. */
  readonly clock?: () => number
}

/** Fit for a machine that is busy with other things. */
export const DEFAULT_LIMITS: ServerLimits = {
  toldMs: 5_000,
  cutMs: 2_000,
  drainMs: 10_000,
  restMs: 60_000,
  // More than a session may cause before it is refused.
  deaths: { times: 5, withinMs: 60_000 },
  logoutMs: 2_000,
}
