/**
 * One session worker thread, from its first word (`WorkerReady`) to the exit of its thread. It becomes usable when the
 * engine knows its port, and its slot is freed only when the thread is gone: until then it may still be doing I/O, and
 * a slot that is freed too early would let the engine believe that the I/O is over.
 */
import type { Worker } from 'node:worker_threads'
import type { SupervisorNotice, WorkerReady } from '@scsipub/contract'

export class WorkerLife {
  readonly threadId: number
  readonly slot: number
  /** Connections that run here. */
  connections = 0
  /** Settles when the thread is no more. */
  readonly gone: Promise<void>
  readonly #port: WorkerReady['supervisorPort']

  constructor({ threadId, slot, supervisorPort }: WorkerReady, thread: Worker | undefined) {
    this.threadId = threadId
    this.slot = slot
    this.#port = supervisorPort
    this.gone = new Promise(resolve => {
      // A thread that the pool has dropped already is known only by its port, which closes as the thread ends.
      if (thread) thread.once('exit', () => resolve())
      else supervisorPort.once('close', () => resolve())
    })
  }

  /** Its thread is gone: nothing comes any more. */
  close(): void {
    this.#port.close()
  }

  /** Tells the worker something; without effect when it is gone. */
  tell(notice: SupervisorNotice): void {
    this.#port.postMessage(notice)
  }
}
