/**
 * What commands may know of a logical unit: what it was made as, and what shared memory says of it at this moment.
 *
 * Every command asks, so it is a class: all units then have one shape, and what changes is a look at a word.
 */
import { type LunGrant, UNIT_STATE } from '@scsipub/contract'
import type { LogicalUnit, Provisioning, SanitizeState } from '@scsipub/scsi'
import type { BorrowedVolume } from '@scsipub/volume'

/** The most that one READ or WRITE may move; reported in VPD page B0h. */
const MAX_TRANSFER_BYTES = 8 << 20

export class UnitFacts implements LogicalUnit {
  readonly blockBytes: number
  readonly physicalBlockBytes: number
  readonly identity: LogicalUnit['identity']
  readonly product: string
  readonly removable: boolean
  readonly thin: boolean
  readonly maxTransferBlocks: number
  readonly #readOnly: boolean
  readonly #volume: BorrowedVolume

  constructor(grant: LunGrant, volume: BorrowedVolume) {
    const { spec, identity } = grant.volume
    this.blockBytes = spec.blockBytes
    this.physicalBlockBytes = grant.physicalBlockBytes
    this.identity = identity
    this.product = grant.product
    this.removable = grant.removable
    this.thin = grant.thin
    this.maxTransferBlocks = MAX_TRANSFER_BYTES / spec.blockBytes
    this.#readOnly = grant.readOnly
    this.#volume = volume
  }

  /** As many whole blocks as the volume has now: it may grow. */
  get sizeBlocks(): number {
    return Math.floor(this.#volume.sizeBytes / this.blockBytes)
  }

  /** As it was granted. */
  get grantedReadOnly(): boolean {
    return this.#readOnly
  }

  get readOnly(): boolean {
    return this.#readOnly || this.softwareWriteProtect
  }

  get mediumPresent(): boolean {
    return (this.#volume.control.unitState & UNIT_STATE.mediumAbsent) === 0
  }

  get softwareWriteProtect(): boolean {
    return (this.#volume.control.unitState & UNIT_STATE.softwareWriteProtect) !== 0
  }

  get descriptorSense(): boolean {
    return (this.#volume.control.unitState & UNIT_STATE.descriptorSense) !== 0
  }

  get sanitize(): SanitizeState | undefined {
    return this.#volume.sanitize
  }

  get provisioning(): Provisioning {
    const { usedBytes, quotaBytes } = this.#volume.usage
    const sizeBytes = this.sizeBlocks * this.blockBytes
    const most = quotaBytes === 0 ? sizeBytes : Math.min(quotaBytes, sizeBytes)
    return {
      usedBlocks: Math.ceil(usedBytes / this.blockBytes),
      availableBlocks: Math.max(0, Math.floor((most - usedBytes) / this.blockBytes)),
    }
  }
}
