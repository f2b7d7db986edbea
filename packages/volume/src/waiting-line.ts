/**
 * Operations that wait for a volume, in the order of their asking.
 */
import type { NexusAccess } from '@scsipub/contract'

/** `pass`: nothing but its turn. */
export interface Operation {
  kind: 'read' | 'write' | 'pass'
  position: number
  buffer: Buffer
  offset: number
  length: number
  /** What reservations leave to who asks for it. */
  access: NexusAccess
}

interface Waiting extends Operation {
  resolve(): void
  reject(error: unknown): void
}

/** What an operation says that has to wait (longer). */
export const WAIT = Symbol('wait')

export class WaitingLine {
  #queue: Waiting[] = []

  get length(): number {
    return this.#queue.length
  }

  /** Puts an operation at the end; settles as it does. */
  add(operation: Operation): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ ...operation, resolve, reject })
    })
  }

  /** Does one operation after the other, until one has to wait. */
  advance(act: (operation: Operation) => undefined | Promise<void> | typeof WAIT): void {
    for (let first = this.#queue[0]; first; first = this.#queue[0]) {
      try {
        const run = act(first)
        if (run === WAIT) return
        this.#queue.shift()
        if (run !== undefined) run.then(first.resolve, first.reject)
        else first.resolve()
      } catch (error) {
        this.#queue.shift()
        first.reject(error)
      }
    }
  }

  /** Ends those that `which` names with an error; the others keep their order. */
  fail(error: unknown, which: (operation: Operation) => boolean): void {
    const failed = this.#queue.filter(which)
    this.#queue = this.#queue.filter(waiting => !failed.includes(waiting))
    for (const waiting of failed) waiting.reject(error)
  }
}
