/**
 * Registrations and persistent reservation of one logical unit: the state, and what a change of it does here. The rules are a pure function in
 * packages/scsi.
 *
 * A change is made with the gate closed and nothing in flight, so that what others had begun has landed before, and whatever they send or have
 * queued is judged by the new state; and it is on the disk, where that is asked for, before anybody acts on it. [SPC-4 §5.13]
 */
import type { ControlBlock } from '@scsipub/contract'
import {
  compatibleReserve,
  NO_RESERVATIONS,
  type ReservationAction,
  type ReservationResult,
  type ReservationState,
  reduceReservations,
  reservationAccess,
} from '@scsipub/scsi'
import type { Exclusion } from './exclusion.js'
import type { ReservationFile } from './reservation-file.js'

/** How long a change waits for I/O in flight; initiators give up on a command after 30 s. */
const TIMEOUT_MS = 4_000

export class PersistentReservations {
  #control: ControlBlock
  readonly #exclusion: Pick<Exclusion, 'run'>
  readonly #file: Pick<ReservationFile, 'load' | 'store'> | undefined
  #state: ReservationState

  /** `file`: where the state is kept; without one it cannot be kept. Throws `RpcError` 'damaged'. */
  constructor(o: {
    control: ControlBlock
    exclusion: Pick<Exclusion, 'run'>
    file?: Pick<ReservationFile, 'load' | 'store'> | undefined
  }) {
    this.#control = o.control
    this.#exclusion = o.exclusion
    this.#file = o.file
    this.#state = o.file?.load() ?? NO_RESERVATIONS
    this.#control.setPersistentAccess(reservationAccess(this.#state))
  }

  /** From now on this is the control block; what the old one said has been taken over. */
  follow(control: ControlBlock): void {
    this.#control = control
  }

  get state(): ReservationState {
    return this.#state
  }

  get canPersist(): boolean {
    return this.#file !== undefined
  }

  /** What RESERVE or RELEASE of a port comes to, see `compatibleReserve`. */
  compatibleReserve(port: string): 'plain' | 'ignored' | 'conflict' {
    return compatibleReserve(this.#state, port)
  }

  /**
   * Does an action of a nexus. When it resolves, I/O is judged by the new state; who has to be told is the caller's part. Rejects with
   * `RpcError` 'busy' (I/O in flight does not end) or 'io' (it cannot be kept), with nothing done.
   */
  change(port: string, action: ReservationAction): Promise<ReservationResult> {
    return this.#exclusion.run(() => this.#change(port, action), TIMEOUT_MS)
  }

  #change(port: string, action: ReservationAction): ReservationResult {
    const before = this.#state
    // While RESERVE holds the unit, persistent reservations are out of reach even for its holder [SPC-2 §5.5.1].
    if (this.#control.holder !== 0) return { state: before, refused: 'conflict', attentions: [], abort: [] }
    const result = reduceReservations(before, port, action)
    const { state } = result
    if (result.refused !== undefined || state === before) return result
    if (state.persistent && !this.#file) {
      return { state: before, refused: 'invalidParameter', attentions: [], abort: [] }
    }
    if (state.persistent || before.persistent) this.#file!.store(state)
    this.#state = state
    this.#control.setPersistentAccess(reservationAccess(state))
    return result
  }
}
