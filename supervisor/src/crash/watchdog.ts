/**
 * Ends session workers that spin. A worker beats once a second, by a counter in shared memory; one that has missed its beats for 5 s and has used the processor meanwhile is
 * terminated, and its seat starts another.
 *
 * Silence alone is no proof. A worker reads and writes files by calls that last as long as the disk likes, and a thread in such a call cannot be ended anyway; its sessions
 * would be lost for nothing. So the kernel is asked whether the thread has run: one that has not is told of in the log, and terminated only when it stays silent for
 * a minute. And a process that was stopped (SIGSTOP, a suspended machine) finds all workers silent: the watchdog counts its own looks, not time, and forgets what it
 * has counted when it was late itself.
 */
import type { WorkerCounters } from '@scsipub/contract'
import { type ThreadState, threadState } from '../engine/thread-state.js'
import type { Log } from '../log.js'
import type { WorkerLife } from '../worker-life.js'

export type WatchedWorker = Pick<WorkerLife, 'threadId' | 'slot' | 'taskId' | 'terminate'>

export interface WatchdogLimits {
  readonly lookMs: number
  /** Silent looks after which one that runs is terminated, and after which any. */
  readonly spinningLooks: number
  readonly stuckLooks: number
}

export interface WatchdogParts {
  readonly workers: () => readonly WatchedWorker[]
  readonly countersOf: (slot: number) => Pick<WorkerCounters, 'beats'>
  readonly log: Pick<Log, 'warn'>
  readonly limits?: WatchdogLimits
  readonly stateOf?: (taskId: number) => ThreadState | undefined
}

const LIMITS: WatchdogLimits = { lookMs: 1_000, spinningLooks: 5, stuckLooks: 60 }
/** Processor time is counted in ticks, 100 a second on every Linux that Node runs on. A thread that has had a tenth of the time is running. */
const TICKS_PER_MS = 0.1
const RUNNING_SHARE = 0.1
/** Looks that come so many times too late tell of a process that was stopped. */
const LATE = 3

interface Silence {
  beats: number
  looks: number
  /** Processor time of the thread at its beginning. */
  ticks: number
  told: boolean
}

export class Watchdog {
  readonly #parts: WatchdogParts
  readonly #limits: WatchdogLimits
  readonly #timer: NodeJS.Timeout
  readonly #stateOf: (taskId: number) => ThreadState | undefined
  #silences = new WeakMap<WatchedWorker, Silence>()
  #lastLookMs = performance.now()

  /** Watches from now on. */
  constructor(parts: WatchdogParts) {
    this.#parts = parts
    this.#limits = parts.limits ?? LIMITS
    this.#stateOf = parts.stateOf ?? threadState
    this.#timer = setInterval(() => this.look(performance.now()), this.#limits.lookMs).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** Looks once. */
  look(nowMs: number): void {
    if (nowMs - this.#lastLookMs > LATE * this.#limits.lookMs) this.#silences = new WeakMap()
    this.#lastLookMs = nowMs
    for (const worker of this.#parts.workers()) this.#lookAt(worker)
  }

  #lookAt(worker: WatchedWorker): void {
    const { beats } = this.#parts.countersOf(worker.slot)
    const silence = this.#silences.get(worker)
    const ticks = this.#stateOf(worker.taskId)?.ticks ?? 0
    // One that has never beaten is not watched: it has only just begun.
    if (!silence || silence.beats !== beats || beats === 0) {
      this.#silences.set(worker, { beats, looks: 0, ticks, told: false })
      return
    }
    silence.looks++
    this.#judge(worker, silence, ticks)
  }

  #judge(worker: WatchedWorker, silence: Silence, ticks: number): void {
    const { lookMs, spinningLooks, stuckLooks } = this.#limits
    if (silence.looks < spinningLooks) return
    const silentMs = silence.looks * lookMs
    if (silence.looks >= stuckLooks) return worker.terminate(`it has been silent for ${silentMs} ms`)
    if (ticks - silence.ticks >= RUNNING_SHARE * TICKS_PER_MS * silentMs)
      return worker.terminate(`it has been spinning for ${silentMs} ms`)
    if (silence.told) return
    silence.told = true
    this.#parts.log.warn({
      event: 'worker.stalled',
      threadId: worker.threadId,
      silentMs,
      why: 'it waits in the kernel',
    })
  }
}
