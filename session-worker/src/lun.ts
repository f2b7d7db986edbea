/**
 * One LUN as a session has it: the borrowed volume, the facts that commands ask for, and the state of its I_T_L nexus.
 */
import type { LunGrant } from '@scsipub/contract'
import type { Context, LogicalUnit, Nexus, Target } from '@scsipub/scsi'
import type { BorrowedVolume } from '@scsipub/volume'
import type { Services } from './services.js'
import { UnitState } from './unit-state.js'

/** The most that one READ or WRITE may move; reported in VPD page B0h. */
const MAX_TRANSFER_BYTES = 8 << 20

export class Lun implements Context {
  readonly lun: number
  readonly volume: BorrowedVolume
  readonly lu: LogicalUnit
  readonly target: Target
  readonly nexus: Nexus = { unitAttentions: [] }
  readonly volumeId: string
  /** For what other nexuses of the unit have to notice. */
  readonly unit: UnitState

  constructor(grant: LunGrant, target: Target, session: { id: number; services: Services }) {
    const { spec, identity } = grant.volume
    this.lun = grant.lun
    this.target = target
    this.volume = session.services.volumes.borrow(grant.volume)
    this.volumeId = spec.volumeId
    this.unit = new UnitState(session.services.engine, { volumeId: spec.volumeId, sessionId: session.id })
    const { volume } = this
    this.lu = {
      sizeBlocks: Math.floor(spec.sizeBytes / spec.blockBytes),
      blockBytes: spec.blockBytes,
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
    }
  }
}
