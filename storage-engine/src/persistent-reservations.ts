/**
 * Registrations and persistent reservation of one logical unit: the state, and what a change of it does here. The rules are a pure function in
 * packages/scsi.
 *
 * A change is made with the gate closed and nothing in flight, so that what others had begun has landed before, and whatever they send or have
 * queued is judged by the new state; and it is on the disk, where that is asked for, before anybody acts on it. [SPC-4 §5.13]
 */
import type { ControlBlock, ReservationChangeRecord, VolumeRecord } from '@scsipub/contract'
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
import type { NoteVolume } from './takeover/engine-notes.js'

/** How long a change waits for I/O in flight; initiators give up on a command after 30 s. */
const TIMEOUT_MS = 4_000

/** A change that was made, with its numbers; the asker's is 0 when nobody would ask again. */
export type NumberedChange = ReservationResult & Pick<ReservationChangeRecord, 'changeId' | 'noticeId'>

export interface ReservationsParts {
  readonly control: ControlBlock
  readonly exclusion: Pick<Exclusion, 'run'>
  /** Where the state is kept; without it the state cannot be kept. */
  readonly file: Pick<ReservationFile, 'load' | 'store'> | undefined
  readonly note: NoteVolume
  readonly nextNotice: () => number
  /** What an engine before had noted. */
  readonly taken: Pick<VolumeRecord, 'reservations' | 'changes'> | undefined
}

export class PersistentReservations {
  #control: ControlBlock
  readonly #exclusion: Pick<Exclusion, 'run'>
  readonly #file: Pick<ReservationFile, 'load' | 'store'> | undefined
  readonly #note: NoteVolume
  readonly #nextNotice: () => number
  #state: ReservationState
  #changes: readonly ReservationChangeRecord[]

  /** Takes over what was noted, or begins with what the file says. Throws `RpcError` 'damaged', or 'io' when the file cannot be made what was noted. */
  constructor({ control, exclusion, file, note, nextNotice, taken }: ReservationsParts) {
    this.#control = control
    this.#exclusion = exclusion
    this.#file = file
    this.#note = note
    this.#nextNotice = nextNotice
    this.#changes = taken?.changes ?? []
    this.#state = taken?.reservations ?? file?.load() ?? NO_RESERVATIONS
    // The engine before may have died between the note and the file.
    if (this.#changes.length > 0) file?.store(this.#state)
    if (!taken) this.apply()
  }

  /** Has I/O judged by the state; with the gate closed, unless it is judged so already. */
  apply(): void {
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
  change(port: string, action: ReservationAction, changeId = 0): Promise<NumberedChange> {
    return this.#exclusion.run(() => {
      const noticeId = this.#nextNotice()
      return { ...this.#change(port, action, { changeId, noticeId }), changeId, noticeId }
    }, TIMEOUT_MS)
  }

  /** Changes that were made and perhaps not answered. */
  get changes(): readonly ReservationChangeRecord[] {
    return this.#changes
  }

  /** The change was answered: nobody asks again. */
  answered(changeId: number): void {
    const left = this.#changes.filter(change => change.changeId !== changeId)
    if (left.length === this.#changes.length) return
    this.#changes = left
    this.#note({ changes: left })
  }

  #change(
    port: string,
    action: ReservationAction,
    numbers: Pick<ReservationChangeRecord, 'changeId' | 'noticeId'>,
  ): ReservationResult {
    const before = this.#state
    // While RESERVE holds the unit, persistent reservations are out of reach even for its holder [SPC-2 §5.5.1].
    if (this.#control.holder !== 0) return { state: before, refused: 'conflict', attentions: [], abort: [] }
    const result = reduceReservations(before, port, action)
    const { state } = result
    if (result.refused !== undefined || state === before) return result
    if (state.persistent && !this.#file) {
      return { state: before, refused: 'invalidParameter', attentions: [], abort: [] }
    }
    const { attentions, abort } = result
    const changes = [...this.#changes, { ...numbers, attentions: [...attentions], abort: [...abort] }]
    // Before anything else: whoever takes over from here on makes the change, too.
    this.#note({ reservations: state, changes })
    try {
      if (state.persistent || before.persistent) this.#file!.store(state)
    } catch (error) {
      this.#note({ reservations: before, changes: this.#changes })
      throw error
    }
    this.#changes = changes
    this.#state = state
    this.apply()
    return result
  }
}
