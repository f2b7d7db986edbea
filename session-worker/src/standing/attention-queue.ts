/** The unit attentions of one nexus, as `@scsipub/scsi` keeps them, which tell of every change: they are rare, and a session that goes on after its worker's death has to have them. */
import type { UnitAttention } from '@scsipub/scsi'

export class AttentionQueue extends Array<UnitAttention> {
  #changed: () => void = () => {}

  // What is cut out of it is an ordinary array.
  static override get [Symbol.species](): ArrayConstructor {
    return Array
  }

  /** An empty one. */
  static watched(changed: () => void): AttentionQueue {
    const queue = new AttentionQueue()
    queue.#changed = changed
    return queue
  }

  override push(...conditions: UnitAttention[]): number {
    const length = super.push(...conditions)
    this.#changed()
    return length
  }

  override shift(): UnitAttention | undefined {
    const first = super.shift()
    if (first) this.#changed()
    return first
  }

  override splice(start: number, count: number, ...conditions: UnitAttention[]): UnitAttention[] {
    const removed = super.splice(start, count, ...conditions)
    this.#changed()
    return removed
  }
}
