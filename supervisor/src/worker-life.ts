/**
 * One session worker thread, from its first word (`WorkerReady`) to the exit of its thread. It becomes usable when the
 * engine knows its port, and its slot is freed only when the thread is gone: until then it may still be doing I/O, and
 * a slot that is freed too early would let the engine believe that the I/O is over.
 */
import type { MessagePort, Worker } from 'node:worker_threads'
import type { SupervisorNotice, WorkerReady } from '@scsipub/contract'
import { MappingRegistry, unmapAll } from '@scsipub/posix'

type WithoutId<T> = T extends unknown ? Omit<T, 'noticeId'> : never

/** A notice that the worker answers by `notice.done`. */
export type AnsweredNotice = WithoutId<Extract<SupervisorNotice, { noticeId: number }>>

/** What came of a notice. `gone`: the worker is no more. */
export type NoticeAnswer = { readonly result?: unknown } | { readonly failure: string } | { readonly gone: true }

export class WorkerLife {
  readonly threadId: number
  readonly slot: number
  /** What the kernel knows the thread by, in /proc/self/task. */
  readonly taskId: number
  /** Why the thread is about to die, or has died, as far as is known. */
  why: string | undefined
  /** Connections that run here. */
  connections = 0
  /** It is about to be replaced: connections are begun here only while there is no other worker. */
  retiring = false
  /** It was ended by the pool, which had no need of it any more: it has not died. */
  removed = false
  /** Settles when the thread is no more. */
  readonly gone: Promise<void>
  /** Settles when, after that, the engine has forgotten it and its slot is free. */
  buried: Promise<void> = Promise.resolve()
  readonly #port: WorkerReady['supervisorPort']
  /** Who waits for an answer, by notice. */
  readonly #asked = new Map<number, (answer: NoticeAnswer) => void>()
  #lastNotice = 0
  #isGone = false

  readonly #thread: Worker | undefined

  constructor({ threadId, slot, taskId, supervisorPort, mappings }: WorkerReady, thread: Worker | undefined) {
    this.taskId = taskId
    this.#thread = thread
    thread?.once('error', error => {
      this.why ??= (error as Error).stack ?? String(error)
    })
    this.threadId = threadId
    this.slot = slot
    this.#port = supervisorPort
    this.gone = new Promise(resolve => {
      // A thread that the pool has dropped already is known only by its port, which closes as the thread ends.
      if (thread) thread.once('exit', () => resolve())
      else supervisorPort.once('close', () => resolve())
    })
    void this.gone.then(() => {
      this.#isGone = true
      unmapAll(new MappingRegistry(mappings))
      for (const noticeId of [...this.#asked.keys()]) this.answered(noticeId, { gone: true })
    })
  }

  /** Ends the thread as it is, as soon as it is in no call of the kernel. */
  terminate(why: string): void {
    if (this.why !== undefined) return
    this.why = why
    void this.#thread?.terminate()
  }

  get isGone(): boolean {
    return this.#isGone
  }

  /** Its thread is gone: nothing comes any more. */
  close(): void {
    this.#port.close()
  }

  /** Tells the worker something; without effect when it is gone. */
  tell(notice: SupervisorNotice, transfer: readonly MessagePort[] = []): void {
    this.#port.postMessage(notice, transfer)
  }

  /** Tells the worker something and resolves when it has done it, or could not, or is gone with all that it had. */
  ask(notice: AnsweredNotice): Promise<NoticeAnswer> {
    if (this.#isGone) return Promise.resolve({ gone: true })
    this.#lastNotice = (this.#lastNotice + 1) >>> 0
    const noticeId = this.#lastNotice
    return new Promise(resolve => {
      this.#asked.set(noticeId, resolve)
      this.tell({ ...notice, noticeId })
    })
  }

  /** As `ask`, for what has to be done: the result. @throws Error when it could not be done, or the worker is gone */
  async require(notice: AnsweredNotice): Promise<unknown> {
    const answer = await this.ask(notice)
    if ('gone' in answer) throw new Error(`session worker ${this.threadId} is gone`)
    if ('failure' in answer) throw new Error(`${notice.kind}: ${answer.failure}`)
    return answer.result
  }

  /** The worker has done what it was told, or could not. */
  answered(noticeId: number, answer: NoticeAnswer): void {
    this.#asked.get(noticeId)?.(answer)
    this.#asked.delete(noticeId)
  }
}
