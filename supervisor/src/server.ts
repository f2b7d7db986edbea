/**
 * The parts of the server and the order in which they come up and go down: engine, catalog, the operator's disks, session
 * workers, and last the listener; down in the same order, after the last session has ended. The lifecycle is in
 * `supervisor.machine.ts`; this is what its states do.
 */
import { accessSync, constants, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '@scsipub/config'
import type { StateStore } from '@scsipub/state'
import { Access } from './access.js'
import { Accounts } from './accounts/accounts.js'
import { Admission } from './admission.js'
import { Catalog } from './catalog.js'
import { Engine, type EngineLimits } from './engine.js'
import { WorkerControl } from './hand-over/worker-control.js'
import type { ReplacementLimits } from './hand-over/worker-replacement.js'
import { Authentication } from './http/authentication.js'
import { HttpListener } from './http/http-listener.js'
import { readinessOf } from './http/readiness.js'
import { Identification } from './identification.js'
import { knownPorts } from './known-ports.js'
import { Leases } from './leases/leases.js'
import { Listener } from './listener.js'
import type { Log } from './log.js'
import { LoginPenalty } from './login-penalty.js'
import { Logins } from './logins.js'
import { LunChange } from './lun-change.js'
import { NexusRegistry } from './nexus-registry.js'
import { Operations } from './operations.js'
import { SessionPool } from './pool.js'
import { type EndLimits, SessionHost } from './session-host.js'
import { openStateStore } from './state-store.js'
import { changeDisks, type DiskChange, growDisk } from './target-disks.js'
import { resetTarget } from './target-reset.js'
import { TargetDirectory, volumeSpec } from './targets.js'

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
}

export interface ServerLimits extends EndLimits, Partial<ReplacementLimits> {
  /** How long sessions may take to end by themselves when the server stops. */
  readonly drainMs: number
  readonly engine?: Partial<EngineLimits>
}

interface Parts {
  readonly options: ServerOptions
  readonly limits: ServerLimits
  readonly catalog: Catalog
  readonly directory: TargetDirectory
  readonly engine: Engine
  readonly pool: SessionPool
  readonly host: SessionHost
  readonly logins: Logins
  readonly listener: Listener
  readonly http: HttpListener
  readonly leases: Leases
  readonly store: StateStore
  readonly luns: LunChange
  readonly operations: Operations
  readonly workers: WorkerControl
}

const LIMITS: ServerLimits = { toldMs: 5_000, cutMs: 2_000, drainMs: 10_000 }

export class Server {
  readonly config: Config
  readonly #parts: Parts

  private constructor(parts: Parts) {
    this.config = parts.options.config
    this.#parts = parts
  }

  /** Starts everything; rejects with one line when something cannot be, and ends what runs by then. */
  static async start(options: ServerOptions): Promise<Server> {
    const undo: (() => Promise<void>)[] = []
    try {
      return await Server.#start(options, undo)
    } catch (error) {
      for (const end of undo.reverse()) await end()
      throw error
    }
  }

  static async #start(options: ServerOptions, undo: (() => Promise<void>)[]): Promise<Server> {
    const { config, log, onFailure } = options
    const limits = { ...LIMITS, ...options.limits }
    for (const key of config.unserved)
      log.warn({ event: 'config.unserved', key, why: 'this version does not serve it' })
    const catalog = new Catalog(catalogFolder(config.dataDir), log)
    const directory = new TargetDirectory(config, catalog, () => leases.targets)
    const { store, fault: stateFault } = await openStateStore(config, log)
    undo.push(() => store.close())
    const engine = new Engine({
      entry: options.engineEntry,
      dataDir: config.dataDir,
      logLevel: config.log.level,
      log,
      limits: limits.engine,
      onFailure,
    })
    undo.push(() => engine.terminate())
    for (const target of directory.shared()) {
      const specs = target.disks.map(disk => volumeSpec(target, disk, { id: 0, quotaBytes: 0 }))
      await Promise.all(specs.map(spec => engine.ask({ kind: 'volume.open', spec })))
    }
    const luns = new LunChange({ hosts: () => host, log })
    const leases: Leases = new Leases({
      store,
      engine,
      catalog,
      iqnPrefix: config.iqnPrefix,
      folder: join(config.dataDir, 'leases'),
      log,
      endSession: (id, why) => host.end(id, 'dropped', why),
      sessions: luns,
    })
    await leases.start()
    const admission = new Admission(config.free)
    const registry = new NexusRegistry({
      isLive: id => host.isLive(id),
      end: (id, outcome, why) => host.end(id, outcome, why),
    })
    const access = new Access(directory, config.discovery.auth)
    const penalty = new LoginPenalty({ holdsForLoopback: config.free.capLoopback })
    const httpPenalty = new LoginPenalty({ holdsForLoopback: config.free.capLoopback })
    const logins = new Logins({
      hosts: () => host,
      luns,
      registry,
      identification: new Identification({ directory, access, penalty }),
      access,
      admission,
      engine,
      leases: () => leases,
      quotaBytes: config.free.quotaBytes,
      advertise: config.advertise.iscsi,
      log,
    })
    const workers = new WorkerControl({
      pools: () => pool,
      hosts: () => host,
      log,
      limits,
      stopping: () => logins.draining,
    })
    const operations = new Operations({
      config,
      log,
      engine,
      hosts: () => host,
      leases: () => leases,
      stateFault,
      replace: workers.replace,
    })
    undo.push(async () => {
      await operations.stop()
      operations.close()
    })
    const pool: SessionPool = await SessionPool.start({
      entry: options.workerEntry,
      workers: config.workers,
      log,
      counters: operations.counters,
      onUsable: worker => operations.roster.joined(worker),
      attach: (worker, port) => engine.attach(worker, port),
      detach: slot => engine.detach(slot),
      serve: async request => {
        if (request.kind === 'nexus.ports')
          return { ports: knownPorts(request, { hosts: () => host, registry, directory }) }
        if (request.kind !== 'target.reset') return logins.serve(request)
        resetTarget(request.sessionId, { hosts: () => host, registry, directory, log })
        return {}
      },
      onFailure,
    })
    undo.push(() => pool.close())
    const host: SessionHost = new SessionHost({
      pool,
      log,
      limits,
      sessionOf: tsih => registry.sessionOf(tsih),
      onConnectionEnd: connection => logins.connectionEnded(connection),
      onSessionEnd: session => logins.sessionEnded(session),
    })
    const accounts = new Accounts({ store, log })
    const http = await HttpListener.open(config.listen.http, {
      log,
      accounts,
      leases,
      catalog,
      directory,
      authentication: new Authentication({ accounts, adminToken: config.admin.token, penalty: httpPenalty, log }),
      tiers: config.tiers,
      blankBytes: config.free.blankBytes,
      iqnPrefix: config.iqnPrefix,
      restarts: operations.restarts,
      overview: operations.overview,
      metrics: operations.metrics,
      streams: operations.streams,
      drain: why => {
        setImmediate(() => options.onStopRequest(why)) // after the answer
        return limits.drainMs
      },
      portal: () => ({ advertise: config.advertise.iscsi, listens: listener.address }),
      readiness: readinessOf({ stateFault, engine, pool, workers: config.workers }),
    })
    undo.push(() => http.close())
    const listener: Listener = await Listener.open(config.listen.iscsi, {
      admission,
      log,
      take: accepted => host.host(accepted),
    })
    if (config.free.maxSessions === 0 || admission.maxConnections < config.free.maxSessions) {
      const hint = 'raise the limit on open files (ulimit -n, LimitNOFILE=) for more'
      log.warn({ event: 'limits.descriptors', maxConnections: admission.maxConnections, hint })
    }
    return new Server({
      options,
      limits,
      catalog,
      directory,
      engine,
      pool,
      host,
      logins,
      listener,
      http,
      leases,
      store,
      luns,
      operations,
      workers,
    })
  }

  /** Where it listens, as `ip:port`. */
  get address(): string {
    return this.#parts.listener.address
  }

  /** Where it answers HTTP, as `ip:port`. */
  get httpAddress(): string {
    return this.#parts.http.address
  }

  get targetCount(): number {
    return this.#parts.directory.all().length
  }

  get sessionCount(): number {
    return this.#parts.host.size
  }

  /** The session workers, and where sessions are. */
  get workers(): WorkerControl {
    return this.#parts.workers
  }

  reloadCatalog(): void {
    this.#parts.catalog.reload()
    this.#parts.options.log.info({ event: 'catalog.reloaded', images: this.#parts.catalog.images().size })
  }

  /** Adds disks to an operator's target (full iSCSI name), or takes them from it, see `changeDisks`. */
  changeDisks(target: string, change: DiskChange): Promise<void> {
    return changeDisks(target, change, this.#parts)
  }

  /** Grows a disk of an operator's target, see `growDisk`. */
  growDisk(target: string, lun: number, sizeBytes: number): Promise<void> {
    return growDisk(target, { lun, sizeBytes }, this.#parts)
  }

  /** Ends the storage engine's thread as it is and starts another, which takes over; see `Engine`. */
  restartEngine(): Promise<void> {
    return this.#parts.engine.restart('a restart was asked for')
  }

  /** No new connection, no new login. */
  stopAccepting(): void {
    void this.#parts.operations.stop()
    this.#parts.logins.drain()
    this.#parts.listener.close()
    this.#parts.http.stopAccepting()
  }

  /** Lets all sessions finish what they do and end; settles when none is left. */
  async drainSessions(): Promise<void> {
    await this.#parts.host.untilAtRest()
    this.#parts.pool.tellAll({
      kind: 'worker.drain',
      deadlineMs: this.#parts.limits.drainMs,
      why: 'the server is about to stop',
    })
    await this.#parts.host.untilEmpty()
  }

  /** Ends the connections of sessions that did not. */
  cutSessions(): void {
    this.#parts.options.log.warn({ event: 'sessions.cut', sessions: this.#parts.host.size })
    this.#parts.host.cutAll()
  }

  /** Ends the workers, so that nobody writes any more; then the engine brings everything to disk. */
  async close(): Promise<void> {
    await this.#parts.http.close()
    this.#parts.operations.close()
    await this.#parts.pool.close()
    await this.#parts.leases.close()
    await this.#parts.engine.close()
    await this.#parts.store.close()
  }
}

/** The folder of the catalog, made with all above it; throws one line when it cannot be. */
function catalogFolder(dataDir: string): string {
  const folder = join(dataDir, 'catalog')
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    accessSync(dataDir, constants.R_OK | constants.W_OK | constants.X_OK)
    return folder
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new Error(
      `cannot use the data directory ${dataDir} (${code ?? message}); make it a writable folder or change dataDir`,
    )
  }
}
