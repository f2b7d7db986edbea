/**
 * The session workers: Piscina as a host of actors, one `run()` a connection, which ends with the connection. A rejected run is
 * the EXIT signal: its worker is dead, and so are the sessions on it; its seat starts another.
 *
 * Placement is ours, by the number of connections, or where the connection's session is. A worker that is about to be replaced gets nobody new if there is another, see
 * `hand-over/worker-replacement.ts`.
 *
 * A worker that dies too often is not started again for a while, and the server goes on with the others; with none it ends. See docs/adr/0026.
 *
 * Left out: what becomes of the sessions of a dead worker; see `crash/`.
 */
import type { MessagePort, Worker } from 'node:worker_threads'
import {
  answer,
  type ConnectionEnd,
  type ConnectionTask,
  compileSchema,
  connectionEndSchema,
  type SessionWorkerData,
  type SupervisorNotice,
  type SupervisorRequest,
  supervisorRequestSchema,
  type WorkerReady,
  WorkerSlots,
} from '@scsipub/contract'
import type { IntensityLimits } from './crash/intensity.js'
import type { Log } from './log.js'
import { WorkerLife } from './worker-life.js'
import { WorkerSeat } from './worker-seat.js'

export interface PoolOptions {
  readonly entry: URL
  readonly workers: number
  readonly log: Log
  /** Memory that workers count in, see `WorkerCounters`. */
  readonly counters: SharedArrayBuffer
  /** A worker can be given connections from now on. */
  readonly onUsable: (worker: WorkerLife) => void
  /** Makes a worker known to the engine, and takes it away again after its death. */
  readonly attach: (worker: WorkerLife, enginePort: MessagePort) => Promise<unknown>
  readonly detach: (worker: WorkerLife) => Promise<unknown>
  /** Answers what a connection asks; the value becomes the reply. */
  readonly serve: (request: Exclude<SupervisorRequest, { kind: 'notice.done' }>, worker: WorkerLife) => Promise<unknown>
  /** How long a seat is empty whose worker dies too often, or cannot start. */
  readonly restMs: number
  readonly deaths: IntensityLimits
  /** Called when no worker is left and none will come. */
  readonly onFailure: (why: string) => void
}

/** A connection that has been placed: where, and how it ends. `end` rejects when the worker died; its thread is gone then. */
export interface PlacedRun {
  readonly worker: WorkerLife
  readonly end: Promise<ConnectionEnd>
}

const isSupervisorRequest = compileSchema<SupervisorRequest>(supervisorRequestSchema)
const isConnectionEnd = compileSchema<ConnectionEnd>(connectionEndSchema)

/** Somebody who waits for the first worker of a seat. */
interface Waiting {
  resolve(worker: WorkerLife): void
  reject(error: Error): void
}

export class SessionPool {
  readonly #options: PoolOptions
  readonly #slots = new WorkerSlots()
  readonly #seats = new Set<WorkerSeat>()
  readonly #starting = new Map<WorkerSeat, Waiting>()
  readonly #usable = new Map<number, WorkerLife>()
  readonly #created = new Set<number>()
  readonly #attached = new Map<number, WorkerLife>()
  /** Threads that have said their first word: their slots are freed with them. */
  readonly #heard = new Set<number>()
  /** Workers that have died while they were being replaced, and have left no seat behind. */
  readonly #seatless = new WeakSet<WorkerLife>()
  #waiting: (() => void)[] = []
  #closing = false

  private constructor(options: PoolOptions) {
    this.#options = options
  }

  /** Starts the workers and waits until all of them are usable. Rejects when one cannot start. */
  static async start(options: PoolOptions): Promise<SessionPool> {
    const pool = new SessionPool(options)
    try {
      await Promise.all(Array.from({ length: options.workers }, () => pool.add()))
      return pool
    } catch (error) {
      await pool.close()
      throw error
    }
  }

  get usableWorkers(): number {
    return this.#usable.size
  }

  /** The workers that can be given connections. */
  get workers(): WorkerLife[] {
    return [...this.#usable.values()]
  }

  /** Slots that threads have, for tests. */
  get slotsTaken(): number {
    return this.#slots.taken
  }

  /** The threads by their connections, for logs and tests: thread id → connections. */
  load(): Map<number, number> {
    return new Map([...this.#usable.values()].map(worker => [worker.threadId, worker.connections]))
  }

  /** Settles when there is a worker to run on. */
  async untilUsable(): Promise<void> {
    while (this.#usable.size === 0) await new Promise<void>(resolve => this.#waiting.push(resolve))
  }

  /** Starts one more worker; resolves when it is usable. Rejects, and leaves nothing, when it cannot start. */
  add(): Promise<WorkerLife> {
    return new Promise((resolve, reject) => {
      if (this.#closing) return reject(new Error('the session workers are being ended'))
      const workerData: SessionWorkerData = { slots: this.#slots.shared, counters: this.#options.counters }
      const { entry, deaths } = this.#options
      const seat: WorkerSeat = new WorkerSeat(
        { entry, workerData, deaths },
        {
          ready: (ready, thread) => void this.#welcome(seat, ready, thread),
          created: threadId => {
            this.#created.add(threadId)
            this.#becomeUsable(seat, threadId)
          },
          failed: error => this.#failed(seat, error),
          ended: threadId => {
            if (!this.#heard.delete(threadId)) this.#slots.freeOf(threadId)
          },
        },
      )
      this.#seats.add(seat)
      this.#starting.set(seat, { resolve, reject })
    })
  }

  /** Ends a worker and its seat, whatever it is doing. Resolves when the thread is gone and its slot is free. */
  async remove(worker: WorkerLife): Promise<void> {
    const seat = this.#seatOf(worker)
    worker.retiring = true
    worker.removed = !worker.isGone
    this.#usable.delete(worker.threadId)
    if (seat) {
      this.#seats.delete(seat)
      await seat.close()
    }
    await worker.buried
  }

  /** A worker that was about to be replaced is not, since no other could be started. Where it has died meanwhile, its seat is filled as after any death. */
  keep(worker: WorkerLife): void {
    worker.retiring = false
    if (!this.#seatless.delete(worker)) return
    if (this.#seats.size === 0) this.#options.onFailure('no session worker is left')
    else this.#return()
  }

  /** Runs a connection on `wanted`, or when that is gone on the worker that has the fewest; undefined when there is none at the moment. */
  run(task: ConnectionTask, wanted?: WorkerLife): PlacedRun | undefined {
    const worker = (wanted && this.#usable.get(wanted.threadId)) ?? this.leastLoaded()
    const seat = worker && this.#seatOf(worker)
    if (!seat) return undefined
    worker.connections++
    return { worker, end: this.#endOf(worker, seat.run(task)) }
  }

  /** Tells every worker something. */
  tellAll(notice: SupervisorNotice): void {
    for (const worker of this.#usable.values()) worker.tell(notice)
  }

  /** Ends all threads, whatever they are doing, and waits until they are gone. */
  async close(): Promise<void> {
    this.#closing = true
    for (const { reject } of this.#starting.values()) reject(new Error('the session workers are being ended'))
    this.#starting.clear()
    await Promise.all([...this.#seats].map(seat => seat.close()))
  }

  /** The worker with the fewest connections; one that is about to be replaced only where there is no other, for then its sessions move on once more. */
  leastLoaded(): WorkerLife | undefined {
    let least: WorkerLife | undefined
    for (const worker of this.#usable.values()) {
      const better = least?.retiring === worker.retiring ? worker.connections < least.connections : !worker.retiring
      if (!least || better) least = worker
    }
    return least
  }

  #seatOf(worker: WorkerLife): WorkerSeat | undefined {
    for (const seat of this.#seats) if (seat.worker === worker) return seat
    return undefined
  }

  async #endOf(worker: WorkerLife, run: Promise<unknown>): Promise<ConnectionEnd> {
    try {
      const end = await run
      if (!isConnectionEnd(end)) throw new Error('a connection ended with a result that does not fit the contract')
      return end
    } catch (error) {
      if (this.#closing || !this.#usable.has(worker.threadId)) await worker.gone
      throw error
    } finally {
      worker.connections--
    }
  }

  async #welcome(seat: WorkerSeat, ready: WorkerReady, thread: Worker | undefined): Promise<void> {
    if (this.#closing || seat.closing) {
      // It booted too late: its thread is being ended, and open ports would keep this one.
      ready.supervisorPort.close()
      ready.enginePort.close()
      return
    }
    this.#heard.add(ready.threadId)
    const worker = new WorkerLife(ready, thread)
    thread?.once('error', () => this.#usable.delete(worker.threadId))
    worker.buried = worker.gone.then(() => this.#bury(worker))
    const serve = answer(ready.supervisorPort, isSupervisorRequest, request => {
      if (request.kind !== 'notice.done') return this.#options.serve(request, worker)
      const { noticeId, result, failure } = request
      worker.answered(noticeId, failure === undefined ? { result } : { failure })
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
      await this.#options.attach(worker, ready.enginePort)
    } catch (error) {
      if (!this.#closing)
        this.#lose(seat, `a session worker cannot reach the storage engine: ${(error as Error).message}`)
      return
    }
    this.#attached.set(worker.threadId, worker)
    this.#becomeUsable(seat, worker.threadId)
  }

  /** A worker is usable when Piscina would give it tasks and the engine knows it, in whichever order. */
  #becomeUsable(seat: WorkerSeat, threadId: number): void {
    const worker = this.#attached.get(threadId)
    if (!worker || !this.#created.has(threadId)) return
    seat.worker = worker
    this.#usable.set(threadId, worker)
    this.#options.log.debug({ event: 'worker.ready', threadId, slot: worker.slot })
    this.#options.onUsable(worker)
    this.#starting.get(seat)?.resolve(worker)
    this.#starting.delete(seat)
    for (const wake of this.#waiting.splice(0)) wake()
  }

  async #bury(worker: WorkerLife): Promise<void> {
    worker.close()
    const seat = this.#seatOf(worker)
    if (seat) seat.worker = undefined
    this.#usable.delete(worker.threadId)
    this.#attached.delete(worker.threadId)
    this.#created.delete(worker.threadId)
    if (this.#closing) return
    const line = { threadId: worker.threadId, slot: worker.slot, connections: worker.connections }
    if (worker.removed) this.#options.log.info({ event: 'worker.retired', ...line })
    else this.#options.log.error({ event: 'worker.died', ...line, why: worker.why })
    if (seat && worker.retiring) this.#leave(seat, worker)
    else if (seat?.deaths.strike()) this.#rest(seat, 'a session worker dies too often')
    try {
      await this.#options.detach(worker)
      this.#slots.free(worker.slot)
    } catch (error) {
      this.#options.log.error({ event: 'worker.detach.failed', slot: worker.slot, error: String(error) })
    }
    if (!this.#closing && ![...this.#seats].some(({ hasThread }) => hasThread))
      this.#options.onFailure('no session worker is left')
  }

  #failed(seat: WorkerSeat, error: Error): void {
    if (this.#closing || seat.closing) return
    this.#options.log.error({ event: 'worker.failed', error: error.message })
    if (!seat.worker && !seat.hasThread) this.#lose(seat, `a session worker cannot start: ${error.message}`)
  }

  /** Nobody sits there. Where a worker is being added, that is all; where one was, it is tried again later. */
  #lose(seat: WorkerSeat, why: string): void {
    const starting = this.#starting.get(seat)
    this.#starting.delete(seat)
    if (!starting) return this.#rest(seat, why)
    this.#seats.delete(seat)
    void seat.close()
    starting.reject(new Error(why))
  }

  /** Another seat has been made for the one that comes after this worker. */
  #leave(seat: WorkerSeat, worker: WorkerLife): void {
    this.#seats.delete(seat)
    this.#seatless.add(worker)
    void seat.close()
  }

  /** A seat is empty for a while. The server cannot go on when all are. */
  #rest(seat: WorkerSeat, why: string): void {
    if (!this.#seats.delete(seat)) return
    void seat.close()
    if (this.#seats.size === 0) return this.#options.onFailure(why)
    const { restMs } = this.#options
    this.#options.log.error({ event: 'worker.rests', why, left: this.#seats.size, againMs: restMs })
    setTimeout(() => this.#return(), restMs).unref()
  }

  #return(): void {
    if (this.#closing) return
    const { log, restMs } = this.#options
    this.add().catch((error: Error) => {
      if (this.#closing) return
      log.error({ event: 'worker.rests', why: error.message, left: this.#seats.size, againMs: restMs })
      setTimeout(() => this.#return(), restMs).unref()
    })
  }
}
