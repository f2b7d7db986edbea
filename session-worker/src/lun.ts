/**
 * One LUN as a session has it: the borrowed volume, the facts that commands ask for, and the state of its I_T_L nexus.
 */
import { type Borrower, borrowerOf, type LunGrant, UNIT_STATE } from '@scsipub/contract'
import {
  type Context,
  conflictsWithReservation,
  conflictsWithReserve,
  type LogicalUnit,
  type Nexus,
  type Target,
} from '@scsipub/scsi'
import type { BorrowedVolume } from '@scsipub/volume'
import type { Services } from './services.js'
import { UnitState } from './unit-state.js'

/** The most that one READ or WRITE may move; reported in VPD page B0h. */
const MAX_TRANSFER_BYTES = 8 << 20

export class Lun implements Context {
  readonly lun: number
  readonly volume: BorrowedVolume
  readonly target: Target
  readonly nexus: Nexus = { unitAttentions: [] }
  readonly volumeId: string
  /** For what other nexuses of the unit have to notice. */
  readonly unit: UnitState
  readonly #borrower: Borrower
  readonly #readOnly: boolean
  readonly #lu: { -readonly [Name in keyof LogicalUnit]: LogicalUnit[Name] }
  /** The state that the facts stand for. */
  #state = 0

  constructor(grant: LunGrant, target: Target, session: { id: number; port: string; services: Services }) {
    const { spec, identity } = grant.volume
    this.lun = grant.lun
    this.target = target
    this.#borrower = borrowerOf(session.id, session.port)
    this.volume = session.services.volumes.borrow(grant.volume, this.#borrower)
    this.volumeId = spec.volumeId
    this.unit = new UnitState(session.services.engine, spec.volumeId, this.#borrower)
    this.#readOnly = grant.readOnly
    const { volume } = this
    this.#lu = {
      sizeBlocks: Math.floor(spec.sizeBytes / spec.blockBytes),
      blockBytes: spec.blockBytes,
      physicalBlockBytes: grant.physicalBlockBytes,
      identity,
      product: grant.product,
      readOnly: grant.readOnly,
      removable: grant.removable,
      thin: grant.thin,
      maxTransferBlocks: MAX_TRANSFER_BYTES / spec.blockBytes,
      get sanitize() {
        return volume.sanitize
      },
      get provisioning() {
        const { usedBytes, quotaBytes } = volume.usage
        const most = quotaBytes === 0 ? spec.sizeBytes : Math.min(quotaBytes, spec.sizeBytes)
        return {
          usedBlocks: Math.ceil(usedBytes / spec.blockBytes),
          availableBlocks: Math.max(0, Math.floor((most - usedBytes) / spec.blockBytes)),
        }
      },
      mediumPresent: true,
      softwareWriteProtect: false,
      descriptorSense: false,
    }
  }

  /** The facts, as they are now: one look at shared memory where nothing has changed. */
  get lu(): LogicalUnit {
    const state = this.volume.control.unitState
    if (state !== this.#state) this.#take(state)
    return this.#lu
  }

  /** Whether a reservation keeps a command out. Runs before every command: one look at shared memory where there is none. */
  conflicts(cdb: Buffer, offset: number): boolean {
    return this.volume.control.anyReservation && this.#keepsOut(cdb, offset)
  }

  #keepsOut(cdb: Buffer, offset: number): boolean {
    const { control } = this.volume
    const { holder } = control
    if (holder !== 0 && holder !== this.#borrower.sessionId && conflictsWithReserve(cdb, offset)) return true
    const access = control.persistentAccess(this.#borrower)
    return access !== 'full' && conflictsWithReservation(cdb, offset, access === 'read')
  }

  #take(state: number): void {
    this.#state = state
    const facts = this.#lu
    const softwareWriteProtect = (state & UNIT_STATE.softwareWriteProtect) !== 0
    facts.softwareWriteProtect = softwareWriteProtect
    facts.readOnly = this.#readOnly || softwareWriteProtect
    facts.mediumPresent = (state & UNIT_STATE.mediumAbsent) === 0
    facts.descriptorSense = (state & UNIT_STATE.descriptorSense) !== 0
  }
}
