/**
 * Notices that every session worker answers: what concerns all nexuses of a logical unit (ended tasks, unit attentions) is done when the
 * last worker has said so, or is dead. The engine is the one that reaches all workers. [SAM-5 §5.14, §7]
 */
import type { EngineNotice } from '@scsipub/contract'

/** A notice that carries a `noticeId`, to be answered by `notice.done`. */
export type AnsweredNotice = Extract<EngineNotice, { noticeId: number }>

type WithoutId<T> = T extends unknown ? Omit<T, 'noticeId'> : never

interface Round {
  readonly waitingFor: Set<number>
  resolve(): void
}

export class AnsweredNotices {
  readonly #rounds = new Map<number, Round>()
  #lastId = 0

  /** Tells the workers in `slots` and resolves when each has answered or is gone. */
  start(
    slots: Iterable<number>,
    what: WithoutId<AnsweredNotice>,
    tell: (notice: AnsweredNotice) => void,
  ): Promise<void> {
    this.#lastId = (this.#lastId + 1) >>> 0
    const noticeId = this.#lastId
    return new Promise(resolve => {
      this.#rounds.set(noticeId, { waitingFor: new Set(slots), resolve })
      tell({ ...what, noticeId })
      this.#check(noticeId)
    })
  }

  /** The worker has done what it was told. */
  done(noticeId: number, slot: number): void {
    this.#rounds.get(noticeId)?.waitingFor.delete(slot)
    this.#check(noticeId)
  }

  /** The worker is gone, and its sessions with it. */
  gone(slot: number): void {
    for (const noticeId of [...this.#rounds.keys()]) this.done(noticeId, slot)
  }

  #check(noticeId: number): void {
    const round = this.#rounds.get(noticeId)
    if (!round || round.waitingFor.size > 0) return
    this.#rounds.delete(noticeId)
    round.resolve()
  }
}
