/**
 * What a session does to its logical unit that other nexuses notice, in whatever worker they live: it asks the storage engine, which
 * reaches all of them. Each promise resolves when all of them know.
 */
import type { SharedUnitAttention } from '@scsipub/contract'
import type { StorageEngine } from './services.js'

export class UnitState {
  readonly #engine: Pick<StorageEngine, 'ask'>
  readonly #who: { readonly volumeId: string; readonly sessionId: number }

  constructor(engine: Pick<StorageEngine, 'ask'>, who: { volumeId: string; sessionId: number }) {
    this.#engine = engine
    this.#who = who
  }

  /** Establishes a unit attention for every other nexus of the unit. */
  async tellOthers(condition: SharedUnitAttention): Promise<void> {
    await this.#engine.ask({ kind: 'unit.attention', ...this.#who, condition })
  }
}
