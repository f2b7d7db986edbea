/**
 * A place for one session worker in the pool: a Piscina of one thread, which starts another when that dies. One Piscina a thread, because
 * Piscina's threads are all alike to it: it cannot be told to start one more, or to end this one and no other.
 *
 * Left out: what a worker is to the engine, and which connections run on it; see `pool.ts`.
 */
import { fileURLToPath } from 'node:url'
import type { Worker } from 'node:worker_threads'
import type { ConnectionTask, SessionWorkerData, WorkerReady } from '@scsipub/contract'
import { Piscina } from 'piscina'
import { Intensity, type IntensityLimits } from './crash/intensity.js'
import type { WorkerLife } from './worker-life.js'

export interface SeatEvents {
  /** A thread has said its first word. */
  ready(ready: WorkerReady, thread: Worker | undefined): void
  /** Piscina would give tasks to the thread now. */
  created(threadId: number): void
  /** A thread has died without a task, which is how one that cannot even start is seen. */
  failed(error: Error): void
  /** A thread is no more, whether it had said anything or not. All that it had said was heard before. */
  ended(threadId: number): void
}

/** `npm start` keeps the young generations of all threads small; these carry the sessions, and get more. */
const resourceLimits = { maxOldGenerationSizeMb: 512, maxYoungGenerationSizeMb: 24 }

export interface SeatOptions {
  readonly entry: URL
  readonly workerData: SessionWorkerData
  readonly deaths: IntensityLimits
}

export class WorkerSeat {
  /** Who sits here and can be given connections. */
  worker: WorkerLife | undefined
  /** Of those who have sat here. */
  readonly deaths: Intensity
  /** Nobody will sit here any more. */
  closing = false
  readonly #piscina: Piscina<ConnectionTask, unknown>
  readonly #events: SeatEvents
  readonly #followed = new WeakSet<object>()

  constructor({ entry, workerData, deaths }: SeatOptions, events: SeatEvents) {
    this.deaths = new Intensity(deaths)
    this.#events = events
    this.#piscina = new Piscina({
      filename: fileURLToPath(entry),
      minThreads: 1,
      maxThreads: 1,
      concurrentTasksPerWorker: 100_000,
      atomics: 'disabled',
      idleTimeout: Number.POSITIVE_INFINITY,
      recordTiming: false,
      resourceLimits,
      workerData,
      // Piscina's own passes over a worker that has a task, since it takes every one of them for "abortable".
      loadBalancer: (_task, workers) => workers.find(({ id }) => id === this.worker?.threadId) ?? null,
    })
    this.#piscina.on('workerCreate', (worker: { id: number }) => events.created(worker.id))
    this.#piscina.on('message', (message: WorkerReady) => {
      const thread = this.#piscina.threads.find(thread => thread.threadId === message.threadId)
      events.ready(message, thread as Worker | undefined)
    })
    this.#piscina.on('error', (error: Error) => events.failed(error))
    // Piscina starts the next thread in the same turn in which it drops one.
    this.#piscina.on('workerDestroy', () => queueMicrotask(() => this.#follow()))
    this.#follow()
  }

  /** Every thread is followed to its exit, also one that never says a word. */
  #follow(): void {
    for (const thread of this.#piscina.threads) {
      if (this.#followed.has(thread)) continue
      this.#followed.add(thread)
      const { threadId } = thread // it is -1 afterwards
      thread.once('exit', () => this.#events.ended(threadId))
    }
  }

  /** Whether there is a thread, booted or not. */
  get hasThread(): boolean {
    return this.#piscina.threads.length > 0
  }

  /** Runs a connection on the worker; settles as it ends, rejects when the worker dies. */
  run(task: ConnectionTask): Promise<unknown> {
    return this.#piscina.run(task)
  }

  /** Ends the thread, whatever it is doing, and waits until it is gone. */
  async close(): Promise<void> {
    this.closing = true
    await this.#piscina.destroy()
  }
}
