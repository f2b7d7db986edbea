/**
 * One LUN as a session has it: the borrowed volume, the facts that commands ask for, and the state of its I_T_L nexus.
 */
import type { Borrower, LunGrant } from '@scsipub/contract'
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
import { UnitFacts } from './unit-facts.js'
import { UnitState } from './unit-state.js'

export class Lun implements Context {
  readonly lun: number
  readonly lu: LogicalUnit
  readonly volume: BorrowedVolume
  readonly target: Target
  readonly nexus: Nexus = { unitAttentions: [] }
  readonly volumeId: string
  /** For what other nexuses of the unit have to notice. */
  readonly unit: UnitState
  readonly #borrower: Borrower

  constructor(grant: LunGrant, target: Target, services: Services, borrower: Borrower) {
    const { volumeId } = grant.volume.spec
    this.lun = grant.lun
    this.target = target
    this.#borrower = borrower
    this.volume = services.volumes.borrow(grant.volume, borrower)
    this.lu = new UnitFacts(grant, this.volume)
    this.volumeId = volumeId
    this.unit = new UnitState(services.engine, volumeId, borrower)
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
}
