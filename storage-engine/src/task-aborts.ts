/**
 * Task management functions that concern every nexus of a logical unit: the engine is the one that reaches all workers. Each
 * ends the tasks of its sessions and says so; the function is complete when the last one has, or is dead. [SAM-5 §7]
 */
import type { EngineNotice } from '@scsipub/contract'

export type AbortNotice = Extract<EngineNotice, { kind: 'tasks.abort' }>

interface Abort {
  readonly waitingFor: Set<number>
  resolve(): void
}

export class TaskAborts {
  readonly #aborts = new Map<number, Abort>()
  #lastId = 0

  /** Tells the workers in `slots` and resolves when each has answered or is gone. */
  start(
    slots: Iterable<number>,
    what: Omit<AbortNotice, 'kind' | 'abortId'>,
    tell: (notice: AbortNotice) => void,
  ): Promise<void> {
    this.#lastId = (this.#lastId + 1) >>> 0
    const abortId = this.#lastId
    return new Promise(resolve => {
      this.#aborts.set(abortId, { waitingFor: new Set(slots), resolve })
      tell({ kind: 'tasks.abort', abortId, ...what })
      this.#check(abortId)
    })
  }

  /** The worker has ended its tasks. */
  done(abortId: number, slot: number): void {
    this.#aborts.get(abortId)?.waitingFor.delete(slot)
    this.#check(abortId)
  }

  /** The worker is gone, and its tasks with it. */
  gone(slot: number): void {
    for (const abortId of [...this.#aborts.keys()]) this.done(abortId, slot)
  }

  #check(abortId: number): void {
    const abort = this.#aborts.get(abortId)
    if (!abort || abort.waitingFor.size > 0) return
    this.#aborts.delete(abortId)
    abort.resolve()
  }
}
