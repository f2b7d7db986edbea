/**
 * The session workers: Piscina as a host of actors, one `run()` a connection, which ends with the connection. A rejected run is
 * the EXIT signal: its worker is dead, and so are the sessions on it; Piscina starts another.
 *
 * Placement is ours, by the number of connections, or where the connection's session is: Piscina's own balancer passes over workers that have a task, since it takes
 * every one of them for "abortable", and queues what is left.
 *
 * Left out: rolling restarts, and giving the sessions of a dead worker to another.
 */
import { fileURLToPath } from 'node:url'
import type { MessagePort, Worker } from 'node:worker_threads'
import {
  answer,
  type ConnectionEnd,
  type ConnectionTask,
  compileSchema,
  connectionEndSchema,
  createWorkerCounters,
  type SessionWorkerData,
  type SupervisorNotice,
  type SupervisorRequest,
  supervisorRequestSchema,
  type WorkerReady,
  WorkerSlots,
} from '@scsipub/contract'
import { Piscina } from 'piscina'
import type { Log } from './log.js'
import { WorkerLife } from './worker-life.js'

export interface PoolOptions {
  readonly entry: URL
  readonly workers: number
  readonly log: Log
  /** Makes a worker known to the engine, and takes it away again after its death. */
  readonly attach: (slot: number, enginePort: MessagePort) => Promise<unknown>
  readonly detach: (slot: number) => Promise<unknown>
  /** Answers what a connection asks; the value becomes the reply. */
  readonly serve: (request: Exclude<SupervisorRequest, { kind: 'notice.done' }>) => Promise<unknown>
  /** Called when no worker is left and none will come. */
  readonly onFailure: (why: string) => void
}

/** A connection that has been placed: where, and how it ends. `end` rejects when the worker died; its thread is gone then. */
export interface PlacedRun {
  readonly worker: WorkerLife
  readonly end: Promise<ConnectionEnd>
}

/** `npm start` keeps the young generations of all threads small; these carry the sessions, and get more. */
const resourceLimits = { maxOldGenerationSizeMb: 512, maxYoungGenerationSizeMb: 24 }
const isSupervisorRequest = compileSchema<SupervisorRequest>(supervisorRequestSchema)
const isConnectionEnd = compileSchema<ConnectionEnd>(connectionEndSchema)

export class SessionPool {
  readonly #options: PoolOptions
  readonly #slots = new WorkerSlots()
  readonly #counters = createWorkerCounters()
  readonly #piscina: Piscina<ConnectionTask, unknown>
  readonly #usable = new Map<number, WorkerLife>()
  readonly #created = new Set<number>()
  readonly #attached = new Map<number, WorkerLife>()
  #waiting: (() => void)[] = []
  #placing = 0
  #closing = false

  private constructor(options: PoolOptions) {
    this.#options = options
    const workerData: SessionWorkerData = { slots: this.#slots.shared, counters: this.#counters }
    this.#piscina = new Piscina({
      filename: fileURLToPath(options.entry),
      minThreads: options.workers,
      maxThreads: options.workers,
      concurrentTasksPerWorker: 100_000,
      atomics: 'disabled',
      idleTimeout: Number.POSITIVE_INFINITY,
      recordTiming: false,
      resourceLimits,
      workerData,
      loadBalancer: (_task, workers) => workers.find(worker => worker.id === this.#placing) ?? null,
    })
    this.#piscina.on('workerCreate', (worker: { id: number }) => {
      this.#created.add(worker.id)
      this.#becomeUsable(worker.id)
    })
    this.#piscina.on('message', (message: WorkerReady) => void this.#welcome(message))
    this.#piscina.on('error', (error: Error) => this.#failed(error))
  }

  /** Starts the workers and waits until all of them are usable. Rejects when one cannot start. */
  static start(options: PoolOptions): Promise<SessionPool> {
    return new Promise((resolve, reject) => {
      const pool = new SessionPool({
        ...options,
        onFailure: why => {
          void pool.close().then(() => reject(new Error(why)))
          options.onFailure(why)
        },
      })
      const check = (): unknown => (pool.usableWorkers === options.workers ? resolve(pool) : pool.#waiting.push(check))
      check()
    })
  }

  get usableWorkers(): number {
    return this.#usable.size
  }

  /** The threads by their connections, for logs and tests: thread id → connections. */
  load(): Map<number, number> {
    return new Map([...this.#usable.values()].map(worker => [worker.threadId, worker.connections]))
  }

  /** Settles when there is a worker to run on. */
  async untilUsable(): Promise<void> {
    while (this.#usable.size === 0) await new Promise<void>(resolve => this.#waiting.push(resolve))
  }

  /** Runs a connection on `wanted`, or when that is gone on the worker that has the fewest; undefined when there is none at the moment. */
  run(task: ConnectionTask, wanted?: WorkerLife): PlacedRun | undefined {
    let worker = wanted && this.#usable.get(wanted.threadId)
    if (!worker)
      for (const other of this.#usable.values()) if (!worker || other.connections < worker.connections) worker = other
    if (!worker) return undefined
    worker.connections++
    this.#placing = worker.threadId // read by the balancer, which `run` calls before it returns
    return { worker, end: this.#endOf(worker, this.#piscina.run(task)) }
  }

  /** Tells every worker something. */
  tellAll(notice: SupervisorNotice): void {
    for (const worker of this.#usable.values()) worker.tell(notice)
  }

  /** Ends all threads, whatever they are doing, and waits until they are gone. */
  async close(): Promise<void> {
    this.#closing = true
    await this.#piscina.destroy()
  }

  async #endOf(worker: WorkerLife, run: Promise<unknown>): Promise<ConnectionEnd> {
    try {
      const end = await run
      if (!isConnectionEnd(end)) throw new Error('a connection ended with a result that does not fit the contract')
      return end
    } catch (error) {
      if (!this.#usable.has(worker.threadId)) await worker.gone
      throw error
    } finally {
      worker.connections--
    }
  }

  async #welcome(ready: WorkerReady): Promise<void> {
    if (this.#closing) {
      // It booted too late: its thread is being ended, and open ports would keep this one.
      ready.supervisorPort.close()
      ready.enginePort.close()
      return
    }
    const thread = this.#piscina.threads.find(thread => thread.threadId === ready.threadId) as Worker | undefined
    const worker = new WorkerLife(ready, thread)
    thread?.once('error', () => this.#usable.delete(worker.threadId))
    void worker.gone.then(() => this.#bury(worker))
    const serve = answer(ready.supervisorPort, isSupervisorRequest, request => {
      if (request.kind !== 'notice.done') return this.#options.serve(request)
      worker.answered(request.noticeId)
      return {}
    })
    ready.supervisorPort.on('message', (message: unknown) => {
      try {
        serve(message)
      } catch (error) {
        this.#options.log.error({ event: 'worker.request.invalid', threadId: worker.threadId, error: String(error) })
      }
    })
    try {
      await this.#options.attach(ready.slot, ready.enginePort)
    } catch (error) {
      if (!this.#closing)
        this.#options.onFailure(`a session worker cannot reach the storage engine: ${(error as Error).message}`)
      return
    }
    this.#attached.set(worker.threadId, worker)
    this.#becomeUsable(worker.threadId)
  }

  /** A worker is usable when Piscina would give it tasks and the engine knows it, in whichever order. */
  #becomeUsable(threadId: number): void {
    const worker = this.#attached.get(threadId)
    if (!worker || !this.#created.has(threadId)) return
    this.#usable.set(threadId, worker)
    this.#options.log.debug({ event: 'worker.ready', threadId, slot: worker.slot })
    for (const wake of this.#waiting.splice(0)) wake()
  }

  async #bury(worker: WorkerLife): Promise<void> {
    worker.close()
    this.#usable.delete(worker.threadId)
    this.#attached.delete(worker.threadId)
    this.#created.delete(worker.threadId)
    if (this.#closing) return
    this.#options.log.error({
      event: 'worker.died',
      threadId: worker.threadId,
      slot: worker.slot,
      connections: worker.connections,
    })
    try {
      await this.#options.detach(worker.slot)
      this.#slots.free(worker.slot)
    } catch (error) {
      this.#options.log.error({ event: 'worker.detach.failed', slot: worker.slot, error: String(error) })
    }
    if (this.#piscina.threads.length === 0) this.#options.onFailure('no session worker is left')
  }

  /** Piscina tells this of a worker that died without a task, which is how one that cannot even start is seen. */
  #failed(error: Error): void {
    if (this.#closing) return
    this.#options.log.error({ event: 'worker.failed', error: error.message })
    if (this.#usable.size < this.#options.workers && this.#piscina.threads.length < this.#options.workers) {
      this.#options.onFailure(`a session worker cannot start: ${error.message}`)
    }
  }
}
