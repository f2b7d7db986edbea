/**
 * One LUN as a session has it: the borrowed volume, the facts that commands ask for, and the state of its I_T_L nexus.
 */
import { type Borrower, KEPT_OUT, type LunGrant, type LunRecord, NexusAccess, VOLUME_STAGE } from '@scsipub/contract'
import {
  type Context,
  conflictsWithReservation,
  conflictsWithReserve,
  establishUnitAttention,
  type LogicalUnit,
  type Nexus,
  senseCodes,
  type Target,
} from '@scsipub/scsi'
import type { BorrowedVolume } from '@scsipub/volume'
import type { Services } from './services.js'
import { AttentionQueue } from './standing/attention-queue.js'
import { UnitFacts } from './unit-facts.js'
import { UnitState } from './unit-state.js'

export class Lun implements Context {
  readonly lun: number
  readonly lu: LogicalUnit
  readonly volume: BorrowedVolume
  readonly target: Target
  readonly nexus: Nexus
  readonly volumeId: string
  /** For what other nexuses of the unit have to notice. */
  readonly unit: UnitState
  readonly #access: NexusAccess
  readonly #facts: UnitFacts

  /** `changed` is called when the unit attentions have changed. */
  constructor(grant: LunGrant, target: Target, services: Services, borrower: Borrower, changed: () => void) {
    this.nexus = { unitAttentions: AttentionQueue.watched(changed) }
    const { volumeId } = grant.volume.spec
    this.lun = grant.lun
    this.target = target
    this.volume = services.volumes.borrow(grant.volume, borrower)
    this.#access = new NexusAccess(this.volume, borrower)
    this.#facts = new UnitFacts(grant, this.volume)
    this.lu = this.#facts
    this.volumeId = volumeId
    this.unit = new UnitState(services.engine, volumeId, borrower)
    const { sizeBytes } = this.volume
    if (this.volume.control.stage === VOLUME_STAGE.replaced) void this.#becomePresent(sizeBytes)
  }

  /** What another worker needs to have it in the same way; the control block goes beside it. */
  record(): LunRecord {
    const { product, physicalBlockBytes, grantedReadOnly: readOnly, removable, thin } = this.#facts
    const { control: _control, ...volume } = this.volume.descriptor
    return {
      grant: { lun: this.lun, product, physicalBlockBytes, readOnly, removable, thin },
      volume,
      unitAttentions: [...this.nexus.unitAttentions],
      mayHold: this.unit.mayHold,
    }
  }

  /**
   * The volume was replaced after the descriptor was made, and those who had it by then have been told. Waits until it is known by what; if it has grown, so is
   * this nexus told [SBC-3 §4.4.1].
   */
  async #becomePresent(sizeBytes: number): Promise<void> {
    try {
      await this.volume.admission()
    } catch {
      return // it has gone meanwhile, as the next command is told
    }
    if (this.volume.sizeBytes !== sizeBytes)
      establishUnitAttention(this.nexus.unitAttentions, senseCodes.capacityDataChanged)
  }

  /** Whether a reservation keeps a command out. Runs before every command: one look at shared memory where there is none. */
  conflicts(cdb: Buffer, offset: number): boolean {
    return this.volume.control.anyReservation && this.#keepsOut(cdb, offset)
  }

  #keepsOut(cdb: Buffer, offset: number): boolean {
    const { verdict } = this.#access
    if (verdict === 0) return false
    if ((verdict & KEPT_OUT.reserved) !== 0 && conflictsWithReserve(cdb, offset)) return true
    if ((verdict & ~KEPT_OUT.reserved) === 0) return false
    return conflictsWithReservation(cdb, offset, (verdict & KEPT_OUT.writing) !== 0)
  }
}
