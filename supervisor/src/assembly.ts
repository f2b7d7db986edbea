/**
 * The parts of a server, put together in the order in which they come up: what is on disk, the session workers' threads, the storage engine, who may log in, sessions, and last
 * the listeners. A process that follows another one starts its threads first and asks for the estate only then, so that nobody waits for threads to boot.
 *
 * The parts know each other: those that come up early are given ways to ask for those that come later.
 */
import { join } from 'node:path'
import type { Worker } from 'node:worker_threads'
import { type SupervisorRequest, WorkerCounters } from '@scsipub/contract'
import type { StateStore } from '@scsipub/state'
import { Access } from './access.js'
import { Admission } from './admission.js'
import { Catalog } from './catalog.js'
import { catalogFolder } from './catalog-folder.js'
import { SessionRescue } from './crash/session-rescue.js'
import { Standings } from './crash/standings.js'
import { Watchdog } from './crash/watchdog.js'
import { startAhead } from './engine/engine-thread.js'
import { Engine } from './engine.js'
import { WorkerControl } from './hand-over/worker-control.js'
import type { HttpListener } from './http/http-listener.js'
import { Identification } from './identification.js'
import { knownPorts } from './known-ports.js'
import { Later } from './later.js'
import { Leases } from './leases/leases.js'
import type { Listener } from './listener.js'
import { LoginPenalty } from './login-penalty.js'
import { Logins } from './logins.js'
import { LunChange } from './lun-change.js'
import { NexusRegistry } from './nexus-registry.js'
import { openHttp, openPortal } from './open-listeners.js'
import { Operations } from './operations.js'
import { SessionPool } from './pool.js'
import { DEFAULT_LIMITS, type ServerLimits, type ServerOptions } from './server-options.js'
import { SessionHost } from './session-host.js'
import { openStateStore } from './state-store.js'
import { resetTarget } from './target-reset.js'
import { TargetDirectory, volumeSpec } from './targets.js'
import type { Estate } from './upgrade/estate.js'
import { prepare } from './upgrade/succession.js'
import { takeBelongings } from './upgrade/taken-belongings.js'
import { takeSessions } from './upgrade/taken-sessions.js'
import type { WorkerLife } from './worker-life.js'

/** What ends, one by one from the last to the first, the parts that are up when a start fails. */
type Undo = (() => Promise<void>)[]

export class Assembly {
  readonly options: ServerOptions
  readonly limits: ServerLimits
  readonly catalog: Catalog
  readonly directory: TargetDirectory
  readonly workers: WorkerControl
  readonly registry: NexusRegistry
  readonly access: Access
  readonly luns: LunChange
  readonly penalties: { readonly logins: LoginPenalty; readonly http: LoginPenalty }
  /** No restart begins while it is set. */
  readonly pause = { resting: false }
  store!: StateStore
  operations!: Operations
  engine!: Engine
  leases!: Leases
  logins!: Logins
  pool!: SessionPool
  host!: SessionHost
  watchdog!: Watchdog
  http!: HttpListener
  listener!: Listener

  readonly #admission: Admission
  readonly #standings = new Standings()
  readonly #rescue: SessionRescue
  readonly #engineIsThere = new Later<Engine>()
  readonly #workersBooted = new Later<void>()
  /** Everything is there that a session may ask for. */
  readonly #serves = new Later<void>()
  readonly #undo: Undo
  #booting: number

  private constructor(options: ServerOptions, undo: Undo) {
    const { config, log } = options
    const hosts = () => this.host
    const pools = () => this.pool
    const stopping = () => this.logins.draining || this.pause.resting
    this.options = options
    this.limits = { ...DEFAULT_LIMITS, ...options.limits }
    this.#undo = undo
    this.#booting = config.workers
    this.catalog = new Catalog(catalogFolder(config.dataDir), log)
    this.directory = new TargetDirectory(config, this.catalog, () => this.leases.targets)
    this.workers = new WorkerControl({ pools, hosts, log, limits: this.limits, stopping })
    this.registry = new NexusRegistry({
      isLive: id => this.host.isLive(id),
      end: (id, outcome, why) => this.host.end(id, outcome, why),
    })
    this.access = new Access(this.directory, config.discovery.auth)
    this.luns = new LunChange({ hosts, log })
    const penalty = () => new LoginPenalty({ holdsForLoopback: config.free.capLoopback })
    this.penalties = { logins: penalty(), http: penalty() }
    this.#admission = new Admission(config.free)
    this.#rescue = new SessionRescue({
      hosts,
      pools,
      engine: () => this.#engineIsThere.promise,
      standings: this.#standings,
      log,
      blame: (sessions, why) => this.logins.blame(sessions, why),
      stopping,
    })
  }

  /** Starts everything; rejects with one line when something cannot be, and ends what runs by then. */
  static async start(options: ServerOptions): Promise<Assembly> {
    const undo: Undo = []
    try {
      const assembly = new Assembly(options, undo)
      await assembly.#start()
      undo.length = 0 // it holds what the start began with
      return assembly
    } catch (error) {
      for (const end of undo.reverse()) await end()
      throw error
    }
  }

  async #start(): Promise<void> {
    const { config, log, succession } = this.options
    for (const key of config.unserved)
      log.warn({ event: 'config.unserved', key, why: 'this version does not serve it' })
    const stateFault = await this.#openStore()
    const ahead = succession && (await this.#startAhead())
    const estate = ahead && (await succession.inherit())
    await this.#startEngine(estate, ahead?.engineThread)
    this.#makeLogins()
    if (!estate) await this.leases.start()
    await this.#startSessions(ahead?.pool)
    if (estate) await this.#takeOver(estate)
    await this.#listen(stateFault, estate)
    this.#serves.resolve()
  }

  /** What the state store says of itself. */
  async #openStore() {
    const { config, log } = this.options
    const { store, fault } = await openStateStore(config, log)
    this.#undo.push(() => store.close())
    this.store = store
    this.operations = new Operations({
      config,
      log,
      engine: () => this.engine,
      hosts: () => this.host,
      leases: () => this.leases,
      stateFault: fault,
      replace: this.workers.replace,
      clock: this.limits.clock,
    })
    this.#undo.push(async () => {
      await this.operations.stop()
      this.operations.close()
    })
    return fault
  }

  /** The threads of a process that follows another one; they are up when this settles. */
  async #startAhead(): Promise<{ engineThread: Worker; pool: Promise<SessionPool> }> {
    const { config, engineEntry, succession } = this.options
    if (succession) await prepare(succession, config)
    const engineThread = startAhead(engineEntry)
    const pool = this.#startPool()
    this.#undo.push(async () => {
      this.#engineIsThere.reject(new Error('the start has failed'))
      await engineThread.terminate()
      await pool.then(
        pool => pool.close(),
        () => {},
      )
    })
    await Promise.race([this.#workersBooted.promise, pool])
    return { engineThread, pool }
  }

  #startPool(): Promise<SessionPool> {
    const { config, log, workerEntry, onFailure } = this.options
    return SessionPool.start({
      entry: workerEntry,
      workers: config.workers,
      log,
      counters: this.operations.counters,
      onUsable: worker => this.operations.roster.joined(worker),
      attach: async (worker, port) => {
        if (--this.#booting === 0) this.#workersBooted.resolve()
        return (await this.#engineIsThere.promise).attach(worker, port)
      },
      detach: worker => this.#rescue.bury(worker),
      restMs: this.limits.restMs,
      deaths: this.limits.deaths,
      serve: async (request, worker) => {
        await this.#serves.promise
        return this.#serve(request, worker)
      },
      onFailure,
    })
  }

  async #serve(request: Exclude<SupervisorRequest, { kind: 'notice.done' }>, worker: WorkerLife): Promise<unknown> {
    const hosts = () => this.host
    const { registry, directory } = this
    switch (request.kind) {
      case 'session.standing':
        if (this.host.isLive(request.sessionId)) this.#standings.tell(request, worker)
        return {}
      case 'nexus.ports':
        return { ports: knownPorts(request, { hosts, registry, directory }) }
      case 'target.reset':
        resetTarget(request.sessionId, { hosts, registry, directory, log: this.options.log })
        return {}
      default:
        return this.logins.serve(request)
    }
  }

  /** The storage engine and what is in it, but sessions. */
  async #startEngine(estate: Estate | undefined, thread: Worker | undefined): Promise<void> {
    const { config, log, engineEntry, onFailure } = this.options
    const engine = new Engine({
      entry: engineEntry,
      dataDir: config.dataDir,
      logLevel: config.log.level,
      log,
      limits: this.limits.engine,
      worker: thread,
      inherited: estate && { state: estate.engine, lockFd: estate.lockFd },
      onFailure,
    })
    this.engine = engine
    this.#engineIsThere.resolve(engine)
    this.#undo.push(() => engine.terminate())
    for (const target of this.directory.shared()) {
      const specs = target.disks.map(disk => volumeSpec(target, disk, { id: 0, quotaBytes: 0 }))
      await Promise.all(specs.map(spec => engine.ask({ kind: 'volume.open', spec })))
    }
  }

  /** Who may log in to what. */
  #makeLogins(): void {
    const { config, log } = this.options
    const { store, engine, catalog, luns, directory, access } = this
    this.leases = new Leases({
      store,
      engine,
      catalog,
      iqnPrefix: config.iqnPrefix,
      folder: join(config.dataDir, 'leases'),
      log,
      endSession: (id, why) => this.host.end(id, 'dropped', why),
      sessions: luns,
    })
    this.logins = new Logins({
      hosts: () => this.host,
      luns,
      registry: this.registry,
      identification: new Identification({ directory, access, penalty: this.penalties.logins }),
      access,
      admission: this.#admission,
      engine,
      leases: () => this.leases,
      quotaBytes: config.free.quotaBytes,
      keptMs: this.limits.keptMs,
      poison: this.limits.poison,
      advertise: config.advertise.iscsi,
      log,
    })
  }

  /** The session workers, and what watches over them. */
  async #startSessions(early: Promise<SessionPool> | undefined): Promise<void> {
    const { log } = this.options
    const pool = await (early ?? this.#startPool())
    if (!early) this.#undo.push(() => pool.close())
    this.pool = pool
    this.host = new SessionHost({
      pool,
      log,
      limits: this.limits,
      sessionOf: tsih => this.registry.sessionOf(tsih),
      afterDeath: (connection, worker) => this.#rescue.next(connection, worker),
      onFault: session => this.logins.blame([session], 'a fault of the server'),
      onConnectionEnd: connection => this.logins.connectionEnded(connection),
      onSessionEnd: session => {
        this.#standings.forget(session.id)
        this.logins.sessionEnded(session)
      },
    })
    const watchdog = new Watchdog({
      workers: () => pool.workers,
      countersOf: slot => new WorkerCounters(this.operations.counters, slot),
      log,
    })
    this.watchdog = watchdog
    this.#undo.push(async () => watchdog.stop())
  }

  /** Goes on with what another process had. */
  async #takeOver(estate: Estate): Promise<void> {
    const { log, succession } = this.options
    const { engine, pool, host } = this
    this.registry.import(estate.nexuses)
    this.penalties.logins.import(estate.penalties.logins)
    this.penalties.http.import(estate.penalties.http)
    await engine.ask({ kind: 'engine.ping' })
    for (const { peerAddress, admitted } of estate.sessions.connections) this.#admission.readmit(peerAddress, admitted)
    const goOn = await takeSessions(estate.sessions, { pool, host, controls: engine.controls(), log })
    await succession?.adopted()
    await goOn()
    this.logins.inherit(estate, engine.anonymous())
    await takeBelongings(estate, this)
  }

  async #listen(stateFault: () => string | undefined, estate: Estate | undefined): Promise<void> {
    const { config, succession } = this.options
    const sockets = succession && estate ? await succession.sockets(estate, config) : this.options.sockets
    const parts = { ...this, listener: () => this.listener, admission: this.#admission, stateFault }
    this.http = await openHttp(sockets?.http, parts)
    this.#undo.push(() => this.http.close())
    this.listener = await openPortal(sockets?.iscsi, parts)
  }
}
