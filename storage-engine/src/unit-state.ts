/**
 * The state of one logical unit that its nexuses share: reservation [SPC-2 §7.21], mode parameters, the medium and who prevents its removal.
 * What workers need at every command stands in the control block; who holds what, here. Nothing of it outlives the volume's closing; the engine's
 * end it does, by notes to the supervisor.
 *
 * A nexus is a session id; the worker's slot is kept with it, since a dead worker cannot give anything back.
 */
import { type ControlBlock, type NexusRecord, RpcError, UNIT_STATE, type VolumeRecord } from '@scsipub/contract'
import type { Exclusion } from './exclusion.js'
import type { NoteVolume } from './takeover/engine-notes.js'

export type Nexus = NexusRecord

/** A reservation that waits for I/O in flight, and whether its session is gone meanwhile. */
interface Claim extends Nexus {
  void: boolean
}

/** How long a change waits for I/O in flight; initiators give up on a command after 30 s. */
const TIMEOUT_MS = 4_000

export class UnitState {
  readonly #volume: { readonly control: ControlBlock; readonly exclusion: Pick<Exclusion, 'run'> }
  readonly #claims = new Set<Claim>()
  #holder: Nexus | undefined
  /** By session. */
  readonly #prevents = new Map<number, Nexus>()

  readonly #note: NoteVolume

  /** `taken`: what an engine before had noted. */
  constructor(
    volume: { readonly control: ControlBlock; readonly exclusion: Pick<Exclusion, 'run'> },
    note: NoteVolume,
    taken?: Pick<VolumeRecord, 'holder' | 'prevents'>,
  ) {
    this.#volume = volume
    this.#note = note
    this.#holder = taken?.holder
    for (const nexus of taken?.prevents ?? []) this.#prevents.set(nexus.sessionId, nexus)
  }

  /** Makes the control block say who holds the unit; with the gate closed, unless it says so already or nobody does. */
  apply(): void {
    const holder = this.#holder?.sessionId ?? 0
    if (this.#control.holder !== holder) this.#control.holder = holder
  }

  /** The volume's of this moment: it may be replaced. */
  get #control(): ControlBlock {
    return this.#volume.control
  }

  /**
   * Reserves the unit. What others had in flight has landed when this resolves, and nothing of theirs lands later. Rejects with `RpcError` 'reserved'
   * or 'busy' (I/O in flight does not end). `mayReserve` is asked at the last moment; false: it is GOOD and nothing is reserved.
   */
  async reserve({ sessionId, slot }: Nexus, mayReserve: () => boolean = () => true): Promise<void> {
    const claim: Claim = { sessionId, slot, void: false }
    this.#requireFree(claim)
    if (this.#holder) return
    this.#claims.add(claim)
    try {
      await this.#volume.exclusion.run(() => {
        if (claim.void) throw new RpcError('gone', 'the session has ended')
        this.#requireFree(claim)
        if (!mayReserve()) return
        this.#setHolder({ sessionId, slot })
      }, TIMEOUT_MS)
    } finally {
      this.#claims.delete(claim)
    }
  }

  /** Gives up the session's reservation, if it has one; that of another stays [SPC-2 §7.16]. */
  release(sessionId: number): void {
    if (this.#holder?.sessionId !== sessionId) return
    this.#setHolder(undefined)
  }

  /** Noted first: whoever takes over makes the control block agree. */
  #setHolder(holder: Nexus | undefined): void {
    this.#note({ holder })
    this.#holder = holder
    this.#control.holder = holder?.sessionId ?? 0
  }

  /** Sets the mode parameters; tells whether any of them has changed. */
  setMode(mode: { softwareWriteProtect: boolean; descriptorSense: boolean }): boolean {
    const before = this.#control.unitState
    this.#control.setUnitState(UNIT_STATE.softwareWriteProtect, mode.softwareWriteProtect)
    this.#control.setUnitState(UNIT_STATE.descriptorSense, mode.descriptorSense)
    return this.#control.unitState !== before
  }

  /** Prevents the removal of the medium, as long as the session does not allow it again, or ends [SPC-4 §6.15]. */
  prevent({ sessionId, slot }: Nexus, prevented: boolean): void {
    if (prevented) this.#prevents.set(sessionId, { sessionId, slot })
    else if (!this.#prevents.delete(sessionId)) return
    this.#notePrevents()
  }

  #notePrevents(): void {
    this.#note({ prevents: [...this.#prevents.values()] })
  }

  /** Takes the medium out; I/O in flight lands before. Rejects with `RpcError` 'prevented' or 'busy'. Nothing to do without one. */
  async eject(): Promise<void> {
    if (this.#absent) return
    await this.#volume.exclusion.run(() => {
      this.#requireAllowed()
      this.#control.setUnitState(UNIT_STATE.mediumAbsent, true)
    }, TIMEOUT_MS)
  }

  /**
   * Puts the medium in; tells whether it was out. Throws `RpcError` 'prevented': who prevents removal wants the drive as it is, and libiscsi's
   * suite asks for it.
   */
  load(): boolean {
    if (!this.#absent) return false
    this.#requireAllowed()
    this.#control.setUnitState(UNIT_STATE.mediumAbsent, false)
    return true
  }

  /** A session has ended, and the reservation and prevention that it held with it [SPC-2 §5.5.1, SPC-4 §6.15]. */
  leave(sessionId: number): void {
    this.#forget(nexus => nexus.sessionId === sessionId)
  }

  /** A session lives in another worker now. */
  adopt(nexus: Nexus): void {
    if (this.#prevents.has(nexus.sessionId)) {
      this.#prevents.set(nexus.sessionId, nexus)
      this.#notePrevents()
    }
    if (this.#holder?.sessionId !== nexus.sessionId) return
    this.#holder = nexus
    this.#note({ holder: nexus })
  }

  /** A worker is dead, and all of its sessions but these. */
  workerGone(slot: number, kept: ReadonlySet<number> = new Set()): void {
    this.#forget(nexus => nexus.slot === slot && !kept.has(nexus.sessionId))
  }

  /**
   * Logical unit reset: no reservation, default mode parameters, removal allowed [SAM-5 §6.3.3, SPC-2 §5.5.1, SPC-4 §6.15]. The medium stays where
   * it is.
   */
  reset(): void {
    this.#forget(() => true)
    this.setMode({ softwareWriteProtect: false, descriptorSense: false })
  }

  get #absent(): boolean {
    return (this.#control.unitState & UNIT_STATE.mediumAbsent) !== 0
  }

  #requireAllowed(): void {
    if (this.#prevents.size > 0) throw new RpcError('prevented', 'the removal of the medium is prevented')
  }

  #requireFree({ sessionId }: Nexus): void {
    if (this.#holder && this.#holder.sessionId !== sessionId)
      throw new RpcError('reserved', 'another nexus has reserved the logical unit')
  }

  #forget(whose: (nexus: Nexus) => boolean): void {
    for (const claim of this.#claims) if (whose(claim)) claim.void = true
    const before = this.#prevents.size
    for (const nexus of [...this.#prevents.values()]) if (whose(nexus)) this.#prevents.delete(nexus.sessionId)
    if (this.#prevents.size < before) this.#notePrevents()
    if (this.#holder && whose(this.#holder)) this.release(this.#holder.sessionId)
  }
}
