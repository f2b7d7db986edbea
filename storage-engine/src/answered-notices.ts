/**
 * Notices that every session worker answers: what concerns all nexuses of a logical unit (ended tasks, unit attentions) is done when the
 * last worker has said so, or is dead. The engine is the one that reaches all workers. [SAM-5 §5.14, §7]
 */
import type { EngineNotice } from '@scsipub/contract'

/** A notice that carries a `noticeId`, to be answered by `notice.done`. */
export type AnsweredNotice = Extract<EngineNotice, { noticeId: number }>

type WithoutId<T> = T extends unknown ? Omit<T, 'noticeId'> : never

interface Round {
  readonly notice: AnsweredNotice
  readonly waitingFor: Set<number>
  readonly over: Promise<void>
  resolve(): void
}

export class AnsweredNotices {
  readonly #rounds = new Map<number, Round>()
  readonly #nextNotice: () => number

  /** `nextNotice` gives a number that no notice has had. */
  constructor(nextNotice: () => number) {
    this.#nextNotice = nextNotice
  }

  /** Tells the workers in `slots` and resolves when each has answered or is gone. `noticeId`: of a notice that some of them may have had already, or that is under way. */
  start(
    slots: Iterable<number>,
    what: WithoutId<AnsweredNotice>,
    tell: (notice: AnsweredNotice) => void,
    noticeId = this.#nextNotice(),
  ): Promise<void> {
    const underWay = this.#rounds.get(noticeId)
    if (underWay) return underWay.over
    let resolve = () => {}
    const over = new Promise<void>(resolved => {
      resolve = resolved
    })
    const notice = { ...what, noticeId }
    this.#rounds.set(noticeId, { notice, waitingFor: new Set(slots), over, resolve })
    tell(notice)
    this.#check(noticeId)
    return over
  }

  /** The worker has done what it was told. */
  done(noticeId: number, slot: number): void {
    this.#rounds.get(noticeId)?.waitingFor.delete(slot)
    this.#check(noticeId)
  }

  /** What the worker was told and has not done. */
  unanswered(slot: number): AnsweredNotice[] {
    return [...this.#rounds.values()].filter(({ waitingFor }) => waitingFor.has(slot)).map(({ notice }) => notice)
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
