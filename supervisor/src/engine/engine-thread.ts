/**
 * One thread of the storage engine, from its start to its exit. Whatever it has said before its end has been heard when the end is told: Node empties the port
 * first. Nothing of it is under way then, also no system call.
 */
import { Worker } from 'node:worker_threads'
import type { EngineNote, StorageEngineData } from '@scsipub/contract'
import { MappingRegistry, unmapAll } from '@scsipub/posix'
import { settledWithin } from '../settled-within.js'
import { type ThreadState, threadState } from './thread-state.js'

/** Longer than the code takes to be loaded on a busy machine. */
const LOADING_MS = 10_000
/** The engine makes little garbage, and needs little besides; V8 would let a thread have 48 MiB of it, and then gigabytes. */
const resourceLimits = { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 256 }

/** Processor time is counted in ticks, 100 a second on every Linux that Node runs on. A thread that has a fourth of a processor has enough. */
const TICKS_PER_MS = 0.1
const FAIR_SHARE = 4

export interface EngineThreadOptions {
  readonly entry: string | URL
  /** One that `startAhead` has started; otherwise one is started now. */
  readonly worker?: Worker | undefined
  /** What it says, but for its readiness. */
  readonly hear: (message: unknown) => void
  readonly onReady: (ready: Extract<EngineNote, { kind: 'engine.ready' }>) => void
  /** Called once, when the thread is no more. */
  readonly onEnd: (why: string) => void
}

/** Starts a thread that will be needed later: its code is loaded by then. Who does not use it ends it. */
export function startAhead(entry: string | URL): Worker {
  return new Worker(entry, { resourceLimits })
}

export class EngineThread {
  readonly worker: Worker
  readonly #mappings = new MappingRegistry()
  #begun = false
  #ready = false
  #why: string | undefined
  #taskId: number | undefined
  #seen: ThreadState | undefined

  /** Starts the thread, which waits for `begin`. */
  constructor({ entry, worker = startAhead(entry), hear, onReady, onEnd }: EngineThreadOptions) {
    this.worker = worker
    this.worker.on('message', (message: EngineNote) => {
      if (message.kind !== 'engine.ready') return hear(message)
      this.#ready = true
      this.#taskId = message.taskId
      onReady(message)
    })
    this.worker.on('error', error => {
      this.#why ??= error instanceof Error ? error.message : String(error)
    })
    this.worker.on('exit', code => {
      unmapAll(this.#mappings)
      onEnd(this.#why ?? `the storage engine ended with code ${code}`)
    })
  }

  /** Gives it the data directory and all that is open. */
  begin(data: Omit<StorageEngineData, 'mappings'>): void {
    this.#begun = true
    this.worker.postMessage({ ...data, mappings: this.#mappings.shared } satisfies StorageEngineData)
  }

  /** Whether it has come up. */
  get ready(): boolean {
    return this.#ready
  }

  /**
   * How much of the last `stepMs` in which it did not react speaks against it. Nothing where it waits for a disk: it could not even be ended. Where it runs, all,
   * unless others have most of the processors: then so much as it can have done in what it had. All where it sleeps.
   */
  countedMs(stepMs: number): number {
    const before = this.#seen
    this.#seen = this.#taskId === undefined ? undefined : threadState(this.#taskId)
    if (this.#seen?.state === 'D') return 0
    if (this.#seen?.state !== 'R') return stepMs
    return Math.min(stepMs, (FAIR_SHARE * (this.#seen.ticks - (before?.ticks ?? 0))) / TICKS_PER_MS)
  }

  /** Ends it as it is, in the middle of whatever it does; `why` is what is told of it. Resolves after `onEnd` has been called. */
  async end(why: string): Promise<void> {
    this.#why ??= why
    if (!this.#begun) await this.#leave()
    await this.worker.terminate()
  }

  /** One that has not begun leaves by itself when its code is loaded: of a thread that is terminated before, Node leaves the files open that it was reading. */
  async #leave(): Promise<void> {
    const left = new Promise<void>(resolve => this.worker.once('exit', () => resolve()))
    this.worker.postMessage(null)
    await settledWithin(left, LOADING_MS)
  }
}
