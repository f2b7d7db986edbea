/**
 * The storage engine as the supervisor has it: requests to it, and a worker thread that is started again when it ends: because it throws, has no memory left, or does not
 * turn its event loop any more. What it must not forget it has told (`engine/engine-ledger.ts`), or it lies in files and in shared memory; so the next one
 * goes on with all volumes, reservations and operations, and with the requests that were open. Sessions wait for it meanwhile, if they need it at all:
 * reads and writes do not.
 *
 * An engine that ends again and again has a reason that another start does not take away: then the server ends, and so it does when the first start fails.
 */
import { closeSync } from 'node:fs'
import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads'
import {
  type ControlBlocks,
  type EngineExport,
  EngineMemory,
  type EngineNote,
  type EngineReplies,
  type EngineRequest,
  Requester,
  type SupervisorNotice,
} from '@scsipub/contract'
import { EngineLedger } from './engine/engine-ledger.js'
import { EngineThread } from './engine/engine-thread.js'
import { EngineWatch } from './engine/engine-watch.js'
import type { Log } from './log.js'

export interface EngineLimits {
  /** Ends within `withinMs` that are followed by another start. */
  readonly maxRestarts: number
  readonly withinMs: number
  /** So long the event loop may stand still; with the start of the next one, sessions wait for at most 5 s. */
  readonly silentMs: number
  /** So long a start after an end may take. */
  readonly startMs: number
}

const LIMITS: EngineLimits = { maxRestarts: 5, withinMs: 60_000, silentMs: 3_000, startMs: 15_000 }

export interface EngineOptions {
  readonly entry: string | URL
  readonly dataDir: string
  readonly logLevel: string
  readonly log: Log
  readonly limits?: Partial<EngineLimits> | undefined
  /** What another process has exported, and a descriptor that holds the data directory: the engine goes on with it. */
  readonly inherited?: InheritedEngine | undefined
  /** A thread that `startAhead` has started for it. */
  readonly worker?: Worker | undefined
  /** Called once when the engine has ended for good without having been asked to. */
  readonly onFailure: (why: string) => void
}

/** `lockFd`: belongs to who has it. */
export interface InheritedEngine {
  readonly state: EngineExport
  readonly lockFd: number
}

/** A session worker, as the engine needs it: told of the port to the next engine. */
export interface AttachedWorker {
  readonly slot: number
  tell(notice: SupervisorNotice, transfer: readonly MessagePort[]): void
}

export class Engine {
  readonly ask: Requester<EngineRequest, EngineReplies>['ask']
  /** Not what was for the start: a thread and a state of long ago. */
  readonly #options: Omit<EngineOptions, 'worker' | 'inherited' | 'limits'>
  readonly #limits: EngineLimits
  readonly #ledger = new EngineLedger()
  readonly #memory: EngineMemory
  readonly #requester: Requester<EngineRequest, EngineReplies>
  readonly #workers = new Map<number, AttachedWorker>()
  readonly #watch: EngineWatch
  /** When it has ended unasked, in ms. */
  #ends: number[] = []
  #thread: EngineThread
  /** A thread that has started and waits, since the present one may have to be replaced. */
  #spare: EngineThread | undefined
  #startedMs = performance.now()
  #lockFd: number | undefined
  /** Somebody wants it to end, and to be started again or not. */
  #wanted: 'again' | 'rest' | 'over' | undefined
  #restarts = 0

  /** Starts the thread. Whether it came up is seen by the first request: that fails when the engine has ended. */
  constructor(options: EngineOptions) {
    const { worker, inherited, limits, ...lasting } = options
    this.#options = lasting
    this.#limits = { ...LIMITS, ...limits }
    this.#memory = inherited ? EngineMemory.import(inherited.state.memory) : new EngineMemory()
    if (inherited) this.#ledger.import(inherited.state)
    this.#lockFd = inherited?.lockFd
    this.#thread = this.#newThread(worker)
    this.#begin()
    this.#requester = new Requester(this.#thread.worker)
    this.ask = this.#requester.ask.bind(this.#requester) as Requester<EngineRequest, EngineReplies>['ask']
    this.#watch = new EngineWatch({
      beats: () => this.#memory.beats,
      counted: stepMs => (this.#thread.ready ? this.#thread.countedMs(stepMs) : 0),
      onSuspicion: () => {
        this.#spare ??= this.#newThread()
      },
      onRecovery: () => void this.#endSpare(),
      onSilence: () => void this.#thread.end('the storage engine did not react any more'),
      limitMs: this.#limits.silentMs,
    })
  }

  /** How often it was started again. */
  get restarts(): number {
    return this.#restarts
  }

  /** Makes a session worker known to the engine, and to those that come after it. Rejects with `RpcError`. */
  async attach(worker: AttachedWorker, port: MessagePort): Promise<void> {
    this.#workers.set(worker.slot, worker)
    const { slot } = worker
    const restarts = this.#restarts
    try {
      await this.ask({ kind: 'worker.attach', slot, port }, [port])
    } catch (error) {
      // The engine that was asked has died; the next one got to know the worker with the others.
      if (this.#restarts === restarts || this.#wanted === 'over') throw error
    }
  }

  /** The worker is dead; these sessions of it are about to go on in another one. Rejects with `RpcError`. */
  detach(slot: number, kept: readonly number[]): Promise<EngineReplies['worker.detach']> {
    this.#workers.delete(slot)
    return this.ask({ kind: 'worker.detach', slot, kept: [...kept] })
  }

  /** Flushes and closes every volume, then ends the thread and gives the data directory back. Rejects when the engine could not do so. */
  async close(): Promise<void> {
    this.#wanted = 'over' // the thread ends by itself, and may have done so before its answer is looked at
    await this.ask({ kind: 'engine.close' })
    await this.terminate()
  }

  /** Ends the thread as it is, which loses nothing that has been acknowledged as flushed. */
  async terminate(): Promise<void> {
    this.#wanted = 'over'
    this.#watch.stop()
    await this.#endSpare()
    await this.#thread.end('the storage engine was ended')
    if (this.#lockFd !== undefined) closeSync(this.#lockFd)
    this.#lockFd = undefined
  }

  /** The control blocks of the volumes that are open, as far as the engine has told of them. */
  controls(): ControlBlocks {
    const blocks = this.#ledger.records.map(({ descriptor }) => [descriptor.spec.volumeId, descriptor.control] as const)
    return Object.fromEntries(blocks)
  }

  /** The disks that end with a session, of those that are open, likewise. */
  anonymous(): string[] {
    const specs = this.#ledger.records.map(({ descriptor }) => descriptor.spec)
    return specs.filter(({ persistence }) => persistence === 'ephemeral').map(({ volumeId }) => volumeId)
  }

  /** Ends the thread in the middle of whatever it does, and starts another. */
  async restart(why: string): Promise<void> {
    this.#wanted ??= 'again'
    await this.#thread.end(why)
  }

  /**
   * Ends the thread, and tells what another process has to know to go on with everything (`EngineOptions.inherited`). Requests wait until `resume`. The descriptor
   * stays this process's; the other needs one of its own.
   */
  async export(): Promise<InheritedEngine> {
    this.#wanted = 'rest'
    await this.#endSpare()
    await this.#thread.end('another process takes over')
    if (this.#lockFd === undefined) throw new Error('the storage engine has never come up')
    return { state: this.#ledger.export(this.#memory), lockFd: this.#lockFd }
  }

  /** After `export`: the other process did not come; goes on here. */
  resume(): void {
    this.#wanted = undefined
    this.#startAgain()
  }

  #newThread(worker?: Worker): EngineThread {
    const thread: EngineThread = new EngineThread({
      entry: this.#options.entry,
      worker,
      hear: message => this.#hear(message),
      onReady: ready => this.#ready(ready),
      onEnd: why => {
        if (thread === this.#thread) this.#ended(why)
        else if (thread === this.#spare) this.#spare = undefined
      },
    })
    return thread
  }

  #begin(): void {
    const { dataDir, logLevel } = this.#options
    const takes = this.#lockFd !== undefined
    const memory = this.#memory.shared
    this.#thread.begin({ dataDir, logLevel, memory, ...(takes && { taken: this.#ledger.records }) })
  }

  async #endSpare(): Promise<void> {
    const spare = this.#spare
    this.#spare = undefined
    await spare?.end('it is not needed')
  }

  #hear(message: unknown): void {
    if (this.#requester.accept(message)) return
    this.#ledger.note(message as Exclude<EngineNote, { kind: 'engine.ready' }>)
  }

  #ready({ lockFd }: Extract<EngineNote, { kind: 'engine.ready' }>): void {
    this.#lockFd ??= lockFd
    if (this.#restarts === 0) return
    const ms = Math.round(performance.now() - this.#startedMs)
    this.#options.log.info({ event: 'engine.restarted', restarts: this.#restarts, ms })
  }

  #ended(why: string): void {
    const wanted = this.#wanted
    if (wanted === 'rest') return
    if (wanted === 'over') return this.#requester.fail(why)
    this.#wanted = undefined
    if (wanted === undefined && !this.#mayStartAgain(why)) return
    this.#startAgain()
  }

  #mayStartAgain(why: string): boolean {
    const { log, onFailure } = this.#options
    const { maxRestarts, withinMs } = this.#limits
    const now = performance.now()
    this.#ends = [...this.#ends.filter(end => now - end < withinMs), now]
    const isFirst = this.#lockFd === undefined
    if (!isFirst && this.#ends.length <= maxRestarts) {
      log.error({ event: 'engine.died', why, ends: this.#ends.length })
      return true
    }
    this.#wanted = 'over'
    this.#watch.stop()
    this.#requester.fail(why)
    onFailure(isFirst ? why : `${why}; it has ended ${this.#ends.length} times within ${withinMs / 1000} s`)
    return false
  }

  #startAgain(): void {
    this.#restarts++
    this.#startedMs = performance.now()
    this.#thread = this.#spare ?? this.#newThread()
    this.#spare = undefined
    this.#begin()
    this.#limitStart(this.#thread)
    const repeat = this.#requester.connect(this.#thread.worker)
    for (const worker of this.#workers.values()) {
      const { slot } = worker
      const { port1, port2 } = new MessageChannel()
      this.ask({ kind: 'worker.attach', slot, port: port2 }, [port2]).catch(() => {}) // the engine has died again, and the next one gets to know it
      worker.tell({ kind: 'engine.port', port: port1 }, [port1])
    }
    this.ask({ kind: 'engine.resume' }).catch(() => {}) // likewise
    repeat()
  }

  #limitStart(thread: EngineThread): void {
    const { startMs } = this.#limits
    setTimeout(() => {
      if (!thread.ready) void thread.end(`the storage engine did not come up within ${startMs} ms`)
    }, startMs).unref()
  }
}
