/**
 * The storage engine as the supervisor has it: a worker thread, requests to it, and the news of its end. The engine
 * owns every volume, so its end is the server's end.
 *
 * Left out: starting it again. What it had acknowledged is safe in its files, and the next start reads them.
 */
import { Worker } from 'node:worker_threads'
import { type EngineReplies, type EngineRequest, Requester } from '@scsipub/contract'

/** The engine makes little garbage; V8 would let a thread have 48 MiB of it. */
const resourceLimits = { maxYoungGenerationSizeMb: 8 }

export interface EngineOptions {
  readonly entry: string | URL
  readonly dataDir: string
  readonly logLevel: string
  /** Called once when the engine ends without having been asked to. */
  readonly onFailure: (why: string) => void
}

export class Engine {
  readonly ask: Requester<EngineRequest, EngineReplies>['ask']
  readonly #worker: Worker
  readonly #requester: Requester<EngineRequest, EngineReplies>
  readonly #onFailure: (why: string) => void
  #over = false

  /** Starts the thread. Whether it came up is seen by the first request: that fails when the engine has ended. */
  constructor({ entry, dataDir, logLevel, onFailure }: EngineOptions) {
    this.#onFailure = onFailure
    this.#worker = new Worker(entry, { workerData: { dataDir, logLevel }, resourceLimits })
    this.#requester = new Requester(this.#worker)
    this.ask = this.#requester.ask.bind(this.#requester) as Requester<EngineRequest, EngineReplies>['ask']
    this.#worker.on('message', message => this.#requester.accept(message))
    this.#worker.on('error', error => this.#end(error instanceof Error ? error.message : String(error)))
    this.#worker.on('exit', code => this.#end(`the storage engine ended with code ${code}`))
  }

  /** Flushes and closes every volume, then ends the thread. Rejects when the engine could not do so. */
  async close(): Promise<void> {
    this.#over = true // the thread ends by itself, and may have done so before its answer is looked at
    await this.ask({ kind: 'engine.close' })
    await this.#worker.terminate()
  }

  /** Ends the thread as it is, which loses nothing that has been acknowledged as flushed. */
  async terminate(): Promise<void> {
    this.#over = true
    await this.#worker.terminate()
  }

  #end(why: string): void {
    this.#requester.fail(why)
    if (this.#over) return
    this.#over = true
    this.#onFailure(why)
  }
}
