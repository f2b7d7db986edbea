/**
 * What reservations leave to one nexus of a logical unit, for its worker to ask before each command and again before each piece of I/O.
 *
 * It is found out once and kept until the engine has changed something: a registered nexus then costs a comparison of two words, however many are
 * registered. The engine counts its changes in the control block, each after it has been made. So what was found out belongs to the count that was
 * read before: at worst it is thrown away too early. Behind a successful `enter` a change is seen whole or not at all, as the engine makes
 * changes that keep somebody out with the gate closed.
 */
import type { Borrower } from './borrower.js'
import type { ControlBlock } from './control-block.js'

export class NexusAccess {
  readonly #unit: { readonly control: ControlBlock }
  readonly #borrower: Borrower
  #generation = 0
  #verdict = 0

  /** `unit`: whose control block it is; another one when the volume was replaced, which has taken the count over with what it counts. */
  constructor(unit: { readonly control: ControlBlock }, borrower: Borrower) {
    this.#unit = unit
    this.#borrower = borrower
    this.#lookUp()
  }

  /** Bits of KEPT_OUT. */
  get verdict(): number {
    if (this.#unit.control.accessGeneration !== this.#generation) this.#lookUp()
    return this.#verdict
  }

  /** Why I/O must not be done; to be asked after a successful `enter`. */
  refuses(writing: boolean): undefined | 'reserved' | 'no-medium' {
    const { control } = this.#unit
    return control.anyHindrance ? control.hindrance(this.verdict, writing) : undefined
  }

  #lookUp(): void {
    const { control } = this.#unit
    // With the order of Atomics, unlike the comparison: what is looked at next is not older than this.
    this.#generation = control.orderedAccessGeneration()
    this.#verdict = control.verdict(this.#borrower)
  }
}
