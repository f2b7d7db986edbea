/** What the server looks like at one moment, for whoever shows it: metrics and the operator's calls. */
import type { RestartTotals } from '../restarts/restarts.js'
import type { Place, RosterWorker } from '../restarts/worker-roster.js'

export interface ServerFacts {
  /** Since 1970. */
  readonly startedAtMs: number
  readonly draining: boolean
  readonly places: readonly Place<RosterWorker>[]
  /** Sessions that are logged in: in all, and by worker thread. */
  readonly sessions: { readonly all: number; readonly byThread: ReadonlyMap<number, number> }
  readonly connections: number
  readonly restarts: RestartTotals
  readonly stateStoreUp: boolean
  /** How long the storage engine's answer took; undefined: there was none in time. */
  readonly engineSeconds: number | undefined
  /** Leases by state. */
  readonly leases: ReadonlyMap<string, number>
  /** The file system of the data directory; undefined when it cannot be asked. */
  readonly disk: { readonly freeBytes: number; readonly sizeBytes: number } | undefined
}
