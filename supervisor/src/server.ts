/**
 * A server that runs, and what the states of `supervisor.machine.ts` and its operator do with it. Its parts come up as `assembly.ts` says, and go down in the same order, after the last
 * session has ended.
 */
import type { Config } from '@scsipub/config'
import { Assembly } from './assembly.js'
import type { WorkerControl } from './hand-over/worker-control.js'
import type { ServerOptions } from './server-options.js'
import { changeDisks, type DiskChange, growDisk } from './target-disks.js'
import { type Resting, rest } from './upgrade/rest.js'

export class Server {
  readonly config: Config
  readonly #parts: Assembly

  private constructor(parts: Assembly) {
    this.config = parts.options.config
    this.#parts = parts
  }

  /** Starts everything; rejects with one line when something cannot be, and ends what runs by then. */
  static async start(options: ServerOptions): Promise<Server> {
    return new Server(await Assembly.start(options))
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

  /** No new login: who tries is told to do so later, which initiators do. Calls of HTTP are told so, too. */
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
