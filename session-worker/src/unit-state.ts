/**
 * What a session does to its logical unit that other nexuses notice, in whatever worker they live: it asks the storage engine, which
 * reaches all of them. Each promise resolves when all of them know.
 */
import {
  type Borrower,
  type ReservationChange,
  type ReservationChanged,
  type ReservationRead,
  RpcError,
  type SharedUnitAttention,
  type UnitChange,
} from '@scsipub/contract'
import type { StorageEngine } from './services.js'

export class UnitState {
  readonly #engine: Pick<StorageEngine, 'ask'>
  readonly #who: { readonly volumeId: string; readonly sessionId: number }
  readonly #port: string
  #mayHold = false
  #left: Promise<void> | undefined

  constructor(engine: Pick<StorageEngine, 'ask'>, volumeId: string, { sessionId, port }: Borrower) {
    this.#engine = engine
    this.#who = { volumeId, sessionId }
    this.#port = port
  }

  /** Establishes a unit attention for every other nexus of the unit. */
  async tellOthers(condition: SharedUnitAttention): Promise<void> {
    await this.#engine.ask({ kind: 'unit.attention', ...this.#who, condition })
  }

  /** Has every session of the unit end its tasks on it; resolves when all have, or when there is no unit any more that could have any. */
  async abortTasks(reset: boolean): Promise<void> {
    try {
      await this.#engine.ask({ kind: 'volume.abort', ...this.#who, reset })
    } catch (error) {
      if (!(error instanceof RpcError && error.code === 'gone')) throw error
    }
  }

  /** Changes the state of the unit. Rejects with `RpcError`, see `UnitChange`. */
  async change(change: UnitChange): Promise<void> {
    if (change.name === 'reserve' || change.name === 'prevent') this.#mayHold = true
    await this.#engine.ask({ kind: 'unit.change', ...this.#who, port: this.#port, change })
  }

  /** Does an action of PERSISTENT RESERVE OUT. Rejects with `RpcError` 'busy', 'io', 'gone'. */
  changeReservations(action: ReservationChange): Promise<ReservationChanged> {
    const { volumeId } = this.#who
    return this.#engine.ask({ kind: 'reservation.change', volumeId, port: this.#port, changeId: Math.random(), action })
  }

  /** Registrations and persistent reservation as they are. Rejects with `RpcError` 'reserved' (by RESERVE), 'gone'. */
  readReservations(): Promise<ReservationRead> {
    return this.#engine.ask({ kind: 'reservation.read', volumeId: this.#who.volumeId })
  }

  /** Whether there may be something for `leave` to give back. */
  get mayHold(): boolean {
    return this.#mayHold
  }

  /** The session comes from another worker, where it may have held something of the unit. Never rejects. */
  async adopt(): Promise<void> {
    this.#mayHold = true
    // Where the engine has forgotten the volume, it has forgotten who held it.
    await this.#engine.ask({ kind: 'unit.adopt', ...this.#who }).catch(() => {})
  }

  /** The session ends: gives back what it may hold of the unit, once; undefined when there is nothing. Never rejects. */
  leave(): undefined | Promise<void> {
    if (!this.#mayHold) return undefined
    // Where the engine has forgotten the volume, it has forgotten who held it.
    const forgotten = () => undefined
    this.#left ??= this.#engine.ask({ kind: 'unit.leave', ...this.#who }).then(forgotten, forgotten)
    return this.#left
  }
}
