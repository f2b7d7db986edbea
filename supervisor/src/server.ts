/**
 * The parts of the server and the order in which they come up and go down: engine, catalog, the operator's disks, session
 * workers, and last the listener; down in the same order, after the last session has ended. The lifecycle is in
 * `supervisor.machine.ts`; this is what its states do.
 */
import { accessSync, constants, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Worker } from 'node:worker_threads'
import type { Address, Config } from '@scsipub/config'
import { WorkerCounters } from '@scsipub/contract'
import type { StateStore } from '@scsipub/state'
import { Access } from './access.js'
import { Accounts } from './accounts/accounts.js'
import { Admission } from './admission.js'
import { Catalog } from './catalog.js'
import { SessionRescue } from './crash/session-rescue.js'
import { Standings } from './crash/standings.js'
import { Watchdog } from './crash/watchdog.js'
import { startAhead } from './engine/engine-thread.js'
import { Engine, type EngineLimits } from './engine.js'
import { WorkerControl } from './hand-over/worker-control.js'
import type { ReplacementLimits } from './hand-over/worker-replacement.js'
import { Authentication } from './http/authentication.js'
import { HttpListener } from './http/http-listener.js'
import { readinessOf } from './http/readiness.js'
import { Identification } from './identification.js'
import { knownPorts } from './known-ports.js'
import { Later } from './later.js'
import { Leases } from './leases/leases.js'
import { type ListenAt, Listener } from './listener.js'
import type { Log } from './log.js'
import { LoginPenalty } from './login-penalty.js'
import { Logins } from './logins.js'
import { LunChange } from './lun-change.js'
import { NexusRegistry } from './nexus-registry.js'
import { Operations } from './operations.js'
import { SessionPool } from './pool.js'
import { type EndLimits, SessionHost } from './session-host.js'
import { openStateStore } from './state-store.js'
import type { ListeningSockets } from './systemd/activation.js'
import { changeDisks, type DiskChange, growDisk } from './target-disks.js'
import { resetTarget } from './target-reset.js'
import { TargetDirectory, volumeSpec } from './targets.js'
import type { Estate, UpgradeReport } from './upgrade/estate.js'
import { type Resting, rest } from './upgrade/rest.js'
import { prepare, type Succession } from './upgrade/succession.js'
import { takeSessions } from './upgrade/taken-sessions.js'

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
  /** No restart begins while it is set. */
  readonly pause: { resting: boolean }
  readonly registry: NexusRegistry
  readonly access: Access
  readonly penalties: { readonly logins: LoginPenalty; readonly http: LoginPenalty }
  readonly watchdog: Watchdog
}

const LIMITS: ServerLimits = { toldMs: 5_000, cutMs: 2_000, drainMs: 10_000, restMs: 60_000 }

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
    const { config, log, onFailure, succession } = options
    const limits = { ...LIMITS, ...options.limits }
    for (const key of config.unserved)
      log.warn({ event: 'config.unserved', key, why: 'this version does not serve it' })
    const catalog = new Catalog(catalogFolder(config.dataDir), log)
    const directory = new TargetDirectory(config, catalog, () => leases.targets)
    const { store, fault: stateFault } = await openStateStore(config, log)
    undo.push(() => store.close())
    const pause = { resting: false }
    const workers = new WorkerControl({
      pools: () => pool,
      hosts: () => host,
      log,
      limits,
      stopping: () => logins.draining || pause.resting,
    })
    const operations: Operations = new Operations({
      config,
      log,
      engine: () => engine,
      hosts: () => host,
      leases: () => leases,
      stateFault,
      replace: workers.replace,
    })
    undo.push(async () => {
      await operations.stop()
      operations.close()
    })
    const engineIsThere = new Later<Engine>()
    const standings = new Standings()
    const rescue = new SessionRescue({
      hosts: () => host,
      pools: () => pool,
      engine: () => engineIsThere.promise,
      standings,
      log,
      blame: (sessions, why) => logins.blame(sessions, why),
      stopping: () => logins.draining || pause.resting,
    })
    const serves = new Later<void>()
    const workersBooted = new Later<void>()
    let booting = config.workers
    const startPool = (): Promise<SessionPool> =>
      SessionPool.start({
        entry: options.workerEntry,
        workers: config.workers,
        log,
        counters: operations.counters,
        onUsable: worker => operations.roster.joined(worker),
        attach: async (worker, port) => {
          if (--booting === 0) workersBooted.resolve()
          return (await engineIsThere.promise).attach(worker, port)
        },
        detach: worker => rescue.bury(worker),
        restMs: limits.restMs,
        serve: async (request, worker) => {
          await serves.promise
          if (request.kind === 'session.standing') {
            if (host.isLive(request.sessionId)) standings.tell(request, worker)
            return {}
          }
          if (request.kind === 'nexus.ports')
            return { ports: knownPorts(request, { hosts: () => host, registry, directory }) }
          if (request.kind !== 'target.reset') return logins.serve(request)
          resetTarget(request.sessionId, { hosts: () => host, registry, directory, log })
          return {}
        },
        onFailure,
      })
    let early: Promise<SessionPool> | undefined
    let engineThread: Worker | undefined
    let estate: Estate | undefined
    if (succession) {
      await prepare(succession, config)
      engineThread = startAhead(options.engineEntry)
      early = startPool()
      undo.push(async () => {
        engineIsThere.reject(new Error('the start has failed'))
        await engineThread?.terminate()
        await early?.then(
          pool => pool.close(),
          () => {},
        )
      })
      await Promise.race([workersBooted.promise, early])
      estate = await succession.inherit()
    }
    const engine = new Engine({
      entry: options.engineEntry,
      dataDir: config.dataDir,
      logLevel: config.log.level,
      log,
      limits: limits.engine,
      worker: engineThread,
      inherited: estate && { state: estate.engine, lockFd: estate.lockFd },
      onFailure,
    })
    engineIsThere.resolve(engine)
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
    if (!estate) await leases.start()
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
    const pool: SessionPool = await (early ?? startPool())
    if (!early) undo.push(() => pool.close())
    const host: SessionHost = new SessionHost({
      pool,
      log,
      limits,
      sessionOf: tsih => registry.sessionOf(tsih),
      afterDeath: (connection, worker) => rescue.next(connection, worker),
      onFault: session => logins.blame([session], 'a fault of the server'),
      onConnectionEnd: connection => logins.connectionEnded(connection),
      onSessionEnd: session => {
        standings.forget(session.id)
        logins.sessionEnded(session)
      },
    })
    const watchdog = new Watchdog({
      workers: () => pool.workers,
      countersOf: slot => new WorkerCounters(operations.counters, slot),
      log,
    })
    undo.push(async () => watchdog.stop())
    if (succession && estate) {
      registry.import(estate.nexuses)
      penalty.import(estate.penalties.logins)
      httpPenalty.import(estate.penalties.http)
      await engine.ask({ kind: 'engine.ping' })
      for (const { peerAddress, admitted } of estate.sessions.connections) admission.readmit(peerAddress, admitted)
      const goOn = await takeSessions(estate.sessions, { pool, host, controls: engine.controls(), log })
      await succession.adopted()
      await goOn()
      await leases.start(estate.attached)
      access.import(estate.proofs)
    }
    const sockets = succession && estate ? await succession.sockets(estate, config) : options.sockets
    const accounts = new Accounts({ store, log })
    const http = await HttpListener.open(listenAt(sockets?.http, config.listen.http), {
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
      upgrade: options.upgrade,
      readiness: readinessOf({ stateFault, engine, pool, workers: config.workers }),
    })
    undo.push(() => http.close())
    const listener: Listener = await Listener.open(listenAt(sockets?.iscsi, config.listen.iscsi), {
      admission,
      log,
      take: accepted => host.host(accepted),
    })
    if (config.free.maxSessions === 0 || admission.maxConnections < config.free.maxSessions) {
      const hint = 'raise the limit on open files (ulimit -n, LimitNOFILE=) for more'
      log.warn({ event: 'limits.descriptors', maxConnections: admission.maxConnections, hint })
    }
    serves.resolve()
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
      pause,
      registry,
      access,
      penalties: { logins: penalty, http: httpPenalty },
      watchdog,
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

  /** Lets everything rest, so that another process can go on with it; see `rest`. */
  rest(): Promise<Resting> {
    const { options, operations } = this.#parts
    return rest({ ...this.#parts, restarts: operations.restarts, log: options.log })
  }

  /** Another process serves now: lets go of callers, threads and the state store. Volumes and connections are left as they are. */
  async leave(): Promise<void> {
    const { http, pool, engine, store } = this.#parts
    http.forwardHeld()
    await http.close()
    await pool.close()
    await engine.terminate()
    await store.close()
  }

  /** Whether the storage engine answers; settles when it does. */
  async isWell(): Promise<boolean> {
    await this.#parts.engine.ask({ kind: 'engine.ping' })
    return true
  }

  /** No new login: who tries is told to do so later, which initiators do. No new connection of HTTP. */
  stopAccepting(): void {
    void this.#parts.operations.stop()
    this.#parts.logins.drain()
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
    this.#parts.listener.close()
    await this.#parts.http.close()
    this.#parts.operations.close()
    this.#parts.watchdog.stop()
    await this.#parts.pool.close()
    await this.#parts.leases.close()
    await this.#parts.engine.close()
    await this.#parts.store.close()
  }
}

function listenAt(fd: number | undefined, address: Address): ListenAt {
  return fd === undefined ? address : { fd }
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
