/**
 * What sessions have to hear of whose worker is dead and which go on in another one: notices that the dead worker has not answered, and those that came since. Workers that
 * live do not know of these sessions yet.
 */
import { type EngineNotice, RpcError } from '@scsipub/contract'

/** Forgotten after that, when nobody has asked: the sessions are lost then. */
const KEPT_MS = 60_000

export class OrphanNotices {
  readonly #orphans = new Map<number, EngineNotice[]>()
  #lastId = 0

  /** Begins with what was not answered; the value is for `take`. */
  begin(unanswered: readonly EngineNotice[]): number {
    this.#lastId = (this.#lastId + 1) >>> 0
    const id = this.#lastId
    this.#orphans.set(id, [...unanswered])
    setTimeout(() => this.#orphans.delete(id), KEPT_MS).unref()
    return id
  }

  /** Every notice passes here. */
  hear(notice: EngineNotice): void {
    for (const notices of this.#orphans.values()) notices.push(notice)
  }

  /** All that was said; nothing more is kept. Throws `RpcError` 'missing' when that is not known: it was another engine, or is long ago. */
  take(id: number): EngineNotice[] {
    const notices = this.#orphans.get(id)
    if (!notices) throw new RpcError('missing', `nothing is known of orphans ${id}`)
    this.#orphans.delete(id)
    return notices.filter(({ kind }) => kind !== 'gate.opened' && kind !== 'volume.replaced')
  }
}
