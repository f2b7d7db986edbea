/**
 * What a session does to its logical unit that other nexuses notice, in whatever worker they live: it asks the storage engine, which
 * reaches all of them. Each promise resolves when all of them know.
 */
import type { SharedUnitAttention, UnitChange } from '@scsipub/contract'
import type { StorageEngine } from './services.js'

export class UnitState {
  readonly #engine: Pick<StorageEngine, 'ask'>
  readonly #who: { readonly volumeId: string; readonly sessionId: number }
  #mayHold = false

  constructor(engine: Pick<StorageEngine, 'ask'>, who: { volumeId: string; sessionId: number }) {
    this.#engine = engine
    this.#who = who
  }

  /** Establishes a unit attention for every other nexus of the unit. */
  async tellOthers(condition: SharedUnitAttention): Promise<void> {
    await this.#engine.ask({ kind: 'unit.attention', ...this.#who, condition })
  }

  /** Changes the state of the unit. Rejects with `RpcError`, see `UnitChange`. */
  async change(change: UnitChange): Promise<void> {
    if (change.name === 'reserve' || change.name === 'prevent') this.#mayHold = true
    await this.#engine.ask({ kind: 'unit.change', ...this.#who, change })
  }

  /** The session ends: gives back what it may hold of the unit, or undefined when there is nothing. Never rejects. */
  leave(): undefined | Promise<void> {
    if (!this.#mayHold) return undefined
    // Where the engine has forgotten the volume, it has forgotten who held it.
    const forgotten = () => undefined
    return this.#engine.ask({ kind: 'unit.leave', ...this.#who }).then(forgotten, forgotten)
  }
}
