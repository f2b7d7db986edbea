/**
 * Which session worker has which slot. A worker claims one when it boots, by a compare-and-set on shared memory, so
 * that it can do I/O before anybody has answered it; the supervisor frees the slot when the worker is gone and the
 * storage engine has forgotten it, or when a thread is gone that nobody has heard of.
 */
import { MAX_WORKER_SLOTS } from './control-block.js'

export class WorkerSlots {
  readonly shared: SharedArrayBuffer
  readonly #words: Int32Array

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(MAX_WORKER_SLOTS * 4)) {
    this.shared = shared
    this.#words = new Int32Array(shared)
  }

  /** Claims a free slot for the thread (`threadId` ≥ 1); throws when all are taken. */
  claim(threadId: number): number {
    for (let slot = 0; slot < MAX_WORKER_SLOTS; slot++) {
      if (Atomics.compareExchange(this.#words, slot, 0, threadId) === 0) return slot
    }
    throw new Error(`all ${MAX_WORKER_SLOTS} worker slots are taken`)
  }

  free(slot: number): void {
    Atomics.store(this.#words, slot, 0)
  }

  /** Frees what a thread that is gone has claimed without telling anybody, if anything. */
  freeOf(threadId: number): void {
    for (let slot = 0; slot < MAX_WORKER_SLOTS; slot++) Atomics.compareExchange(this.#words, slot, threadId, 0)
  }

  /** How many are taken. */
  get taken(): number {
    return this.#words.filter(threadId => threadId !== 0).length
  }
}
