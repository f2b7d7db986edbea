/**
 * What an operator sees and does, in one place: the workers by number, their planned restarts and the reasons for them, events, metrics, and the end
 * that was asked for over HTTP. It owns nothing of the service: it looks at the parts, and tells them.
 */
import { statfs } from 'node:fs/promises'
import type { Config } from '@scsipub/config'
import { createWorkerCounters, WorkerCounters } from '@scsipub/contract'
import type { Engine } from './engine.js'
import { pingEngine } from './engine-ping.js'
import { EventStreams } from './events/event-streams.js'
import type { Replacement } from './hand-over/worker-replacement.js'
import { type Overview, overviewOf } from './http/worker-views.js'
import type { Leases } from './leases/leases.js'
import type { Log } from './log.js'
import { EventCounts } from './metrics/event-counts.js'
import type { Family } from './metrics/exposition.js'
import type { ServerFacts } from './metrics/server-facts.js'
import { ServerMetrics } from './metrics/server-metrics.js'
import { MemoryWatch } from './restarts/memory-watch.js'
import { RestartSchedule } from './restarts/restart-schedule.js'
import { Restarts } from './restarts/restarts.js'
import { WorkerRoster } from './restarts/worker-roster.js'
import type { SessionHost } from './session-host.js'
import type { WorkerLife } from './worker-life.js'

export interface OperationsParts {
  readonly config: Pick<Config, 'workers' | 'restarts' | 'dataDir'>
  readonly log: Log
  /** Once it is there. */
  readonly engine: () => Pick<Engine, 'ask'>
  readonly hosts: () => Pick<SessionHost, 'tally'>
  readonly leases: () => Pick<Leases, 'list'>
  /** What is wrong with the state store, in words. */
  readonly stateFault: () => string | undefined
  readonly replace: (worker: WorkerLife) => Promise<Replacement>
  /** For planned restarts, in milliseconds since 1970; the machine's unless told. */
  readonly clock?: (() => number) | undefined
}

export class Operations {
  /** Memory that workers count in. */
  readonly counters = createWorkerCounters()
  readonly roster: WorkerRoster
  readonly restarts: Restarts<WorkerLife>
  readonly streams: EventStreams
  readonly #parts: OperationsParts
  readonly #metrics: ServerMetrics
  readonly #memory: MemoryWatch
  readonly #schedule: RestartSchedule
  readonly #startedAtMs = Date.now()
  #draining = false

  constructor(parts: OperationsParts) {
    const { config, log, replace } = parts
    this.#parts = parts
    this.roster = new WorkerRoster(config.workers, slot => new WorkerCounters(this.counters, slot))
    this.restarts = new Restarts({ roster: this.roster, replace, log })
    this.streams = new EventStreams(log.events)
    this.#metrics = new ServerMetrics(new EventCounts(log.events), () => this.#facts())
    this.#memory = new MemoryWatch({
      places: () => this.roster.places,
      restart: worker => this.restarts.restart({ worker, reason: 'memory' }),
      limitBytes: config.restarts.memoryBytes,
      log,
    })
    this.#memory.start()
    const restart = () => this.restarts.restart({ reason: 'schedule' })
    this.#schedule = new RestartSchedule(config.restarts, restart, parts.clock)
  }

  /** For `GET /api/admin/workers`. */
  readonly overview = (): Overview => overviewOf({ ...this.#quickFacts(), running: this.restarts.running })

  /** For `GET /metrics`. */
  readonly metrics = (): Promise<Family[]> => this.#metrics.collect()

  /** The server stops: no restart begins any more. Settles when none is under way. */
  stop(): Promise<void> {
    this.#draining = true
    this.#memory.close()
    this.#schedule.close()
    return this.restarts.stop()
  }

  /** The workers are about to be ended. */
  close(): void {
    this.roster.close()
    this.#metrics.close()
  }

  /** What is known without asking anybody. */
  #quickFacts() {
    const { hosts, stateFault } = this.#parts
    const { sessions, byThread, connections } = hosts().tally()
    return {
      startedAtMs: this.#startedAtMs,
      draining: this.#draining,
      places: this.roster.places,
      sessions: { all: sessions, byThread },
      connections,
      restarts: this.restarts.totals,
      stateStoreUp: stateFault() === undefined,
    }
  }

  async #facts(): Promise<ServerFacts> {
    const { engine, leases, config } = this.#parts
    const [engineSeconds, disk] = await Promise.all([pingEngine(engine()), diskOf(config.dataDir)])
    const states = new Map<string, number>()
    for (const { state } of leases().list()) states.set(state, (states.get(state) ?? 0) + 1)
    return { ...this.#quickFacts(), engineSeconds, disk, leases: states }
  }
}

async function diskOf(folder: string): Promise<ServerFacts['disk']> {
  try {
    const { bsize, bavail, blocks } = await statfs(folder)
    return { freeBytes: bavail * bsize, sizeBytes: blocks * bsize }
  } catch {
    return undefined
  }
}
