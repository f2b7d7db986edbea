/**
 * Exclusive use of one volume: gate closed, nothing in flight, action, gate open. One action at a time, in the order of
 * asking; other volumes are not held up, for the waiting is done by timers.
 */
import { type ControlBlock, RpcError } from '@scsipub/contract'

/** Turns of the event loop before the waiting becomes slower: I/O that is in memory is over by then. */
const EAGER_TURNS = 50
const POLL_MS = 1
/** Between two looks it takes that long only when this thread stood still: so did those whose I/O is in flight, most likely with the whole machine. */
const STOOD_MS = 500

export class Exclusion {
  #control: ControlBlock
  readonly #opened: () => void
  readonly #name: string
  #tail: Promise<unknown> = Promise.resolve()

  /** `opened` is called each time the gate has been opened. */
  constructor(o: { control: ControlBlock; name: string; opened: () => void }) {
    this.#control = o.control
    this.#name = o.name
    this.#opened = o.opened
  }

  /** From now on, and when the running action ends, this is the control block: within an action, when the volume was replaced. */
  follow(control: ControlBlock): void {
    this.#control = control
  }

  /**
   * Runs `action` while no worker reads or writes the volume. Rejects with `RpcError` 'busy', with nothing done and the
   * gate open, when I/O in flight has not ended within `timeoutMs`; else settles as the action does. With `countQueue` the time spent behind
   * earlier actions counts too.
   */
  run<T>(action: () => T | Promise<T>, timeoutMs: number, { countQueue = false } = {}): Promise<T> {
    const asked = performance.now()
    return this.inTurn(() => {
      const leftMs = countQueue ? timeoutMs - (performance.now() - asked) : timeoutMs
      return this.alone(action, leftMs)
    })
  }

  /** Runs `action` in its turn among the exclusive actions. The gate stays open: that is for `alone`, within it. */
  inTurn<T>(action: () => T | Promise<T>): Promise<T> {
    const result = this.#tail.then(action)
    // A turn with the gate open, so that a row of actions does not shut everybody else out.
    this.#tail = result.catch(() => undefined).then(() => new Promise(resolve => setImmediate(resolve)))
    return result
  }

  /** Runs `action` while no worker reads or writes the volume, within a turn; else as `run`. */
  async alone<T>(action: () => T | Promise<T>, timeoutMs: number): Promise<T> {
    if (timeoutMs <= 0) throw this.#busy('an earlier operation has not ended in time')
    const before = this.#control
    before.closeGate()
    try {
      await this.#drained(timeoutMs)
      return await action()
    } finally {
      // Who waits at the gate of a block that was replaced learns it inside.
      before.openGate()
      this.#control.openGate()
      this.#opened()
    }
  }

  async #drained(timeoutMs: number): Promise<void> {
    let last = performance.now()
    let deadline = last + timeoutMs
    let hasStood = false
    for (let turn = 0; this.#control.inFlight() > 0; turn++) {
      const now = performance.now()
      // Once: a thread that has much else to do between its looks is late again and again.
      if (!hasStood && now - last >= STOOD_MS) {
        hasStood = true
        deadline += now - last
      }
      last = now
      if (now >= deadline) {
        throw this.#busy(`I/O in flight has not ended within ${Math.round(timeoutMs)} ms`)
      }
      await new Promise<void>(resolve => {
        if (turn < EAGER_TURNS) setImmediate(resolve)
        else setTimeout(resolve, POLL_MS)
      })
    }
  }

  #busy(why: string): RpcError {
    return new RpcError('busy', `volume ${this.#name}: ${why}; try again`)
  }
}
