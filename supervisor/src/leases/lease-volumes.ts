/** The volumes of leases, as asked of the storage engine: made when a lease is, open while somebody is attached, removed with it. */
import { type LunGrant, RpcError, type VolumeDescriptor, type VolumeSpec } from '@scsipub/contract'
import type { Engine } from '../engine.js'
import type { Log } from '../log.js'
import { grantOf, leaseDisk } from '../targets.js'
import { leaseError } from './lease-error.js'
import { leaseVolumeId, volumeOfLease } from './lease-names.js'
import type { LeaseLun, LeaseRecord } from './lease-record.js'

/** What the disk begins as. */
export type LeaseBase = Pick<VolumeSpec, 'basePath' | 'baseSnapshot'>

/** Volumes that are made at the same time: their files are synced, which is better waited for together. */
const AT_ONCE = 8

export class LeaseVolumes {
  readonly #ask: Engine['ask']
  readonly #log: Log

  constructor(engine: Pick<Engine, 'ask'>, log: Log) {
    this.#ask = engine.ask
    this.#log = log
  }

  /** LUNs that have a volume, by lease. */
  async existing(): Promise<Map<string, number[]>> {
    const { volumeIds } = await this.#ask({ kind: 'volume.list' })
    const byLease = new Map<string, number[]>()
    for (const volumeId of volumeIds) {
      const volume = volumeOfLease(volumeId)
      if (!volume) continue
      const luns = byLease.get(volume.leaseId)
      if (luns) luns.push(volume.lun)
      else byLease.set(volume.leaseId, [volume.lun])
    }
    return byLease
  }

  /** Makes the volumes of LUNs, and leaves them closed. Rejects with `LeaseError` 'space' or 'failed'. */
  async make(leaseId: string, luns: readonly (LeaseLun & { base: LeaseBase })[]): Promise<void> {
    await inTurns(luns, async ({ lun, sizeBytes, base }) => {
      const volumeId = leaseVolumeId(leaseId, lun)
      const spec = { volumeId, persistence: 'persistent' as const, sizeBytes, blockBytes: 512, quotaBytes: 0, ...base }
      await this.#translated(async () => {
        await this.#ask({ kind: 'volume.open', spec })
        await this.#ask({ kind: 'volume.destroy', volumeId })
      })
    })
  }

  /** Opens all volumes of a lease. Rejects with `RpcError` when one cannot be; others may be open then. */
  async open({ id, luns }: LeaseRecord): Promise<LunGrant[]> {
    const opened = await Promise.allSettled(luns.map(lun => this.openOne(id, lun)))
    const failed = opened.find(result => result.status === 'rejected')
    if (failed) throw failed.reason
    return opened.flatMap(result => (result.status === 'fulfilled' ? result.value : []))
  }

  /** Opens the volume of one LUN. Rejects with `RpcError`. */
  async openOne(leaseId: string, lun: LeaseLun): Promise<LunGrant> {
    const volume: VolumeDescriptor = await this.#ask({
      kind: 'volume.reopen',
      volumeId: leaseVolumeId(leaseId, lun.lun),
    })
    return grantOf(leaseDisk(lun), volume)
  }

  /** Runs `action` while the volume of a LUN is open, which it `isOpen` already or is opened for. Rejects with `LeaseError`. */
  async whileOpen<T>(
    leaseId: string,
    lun: LeaseLun,
    isOpen: boolean,
    action: (volumeId: string) => Promise<T>,
  ): Promise<T> {
    const volumeId = leaseVolumeId(leaseId, lun.lun)
    return this.#translated(async () => {
      if (!isOpen) await this.#ask({ kind: 'volume.reopen', volumeId })
      try {
        return await action(volumeId)
      } finally {
        if (!isOpen) await this.#ask({ kind: 'volume.destroy', volumeId })
      }
    })
  }

  /** Grows the volume of a LUN; the size that it has is no error. Rejects with `LeaseError`. */
  async grow(leaseId: string, lun: LeaseLun, sizeBytes: number, isOpen: boolean): Promise<void> {
    await this.whileOpen(leaseId, lun, isOpen, async volumeId => {
      await this.#ask({ kind: 'volume.resize', volumeId, sizeBytes })
    })
  }

  /** Freezes a LUN as a snapshot; gives the size that it has. Rejects with `LeaseError`. */
  async freeze(leaseId: string, lun: LeaseLun, snapshotId: string, isOpen: boolean): Promise<number> {
    return this.whileOpen(leaseId, lun, isOpen, async volumeId => {
      const { snapshots } = await this.#ask({ kind: 'volume.snapshot', items: [{ volumeId, snapshotId }] })
      return snapshots[0]?.sizeBytes ?? lun.sizeBytes
    })
  }

  /** Names of the snapshots that there are, damaged ones too. */
  async snapshots(): Promise<ReadonlySet<string>> {
    const { snapshots, damaged } = await this.#ask({ kind: 'snapshot.list' })
    return new Set([...snapshots, ...damaged].map(({ snapshotId }) => snapshotId))
  }

  /** Destroys a snapshot; none is no error. Rejects with `LeaseError` 'image-in-use' or 'failed'. */
  async thaw(snapshotId: string): Promise<void> {
    if (!(await this.snapshots()).has(snapshotId)) return
    await this.#translated(async () => {
      await this.#ask({ kind: 'snapshot.destroy', snapshotId })
    })
  }

  /** Flushes and closes all volumes of a lease that are open; what fails is in the log. */
  async close({ id, luns }: Pick<LeaseRecord, 'id' | 'luns'>): Promise<void> {
    await Promise.all(
      luns.map(async ({ lun }) => {
        const volumeId = leaseVolumeId(id, lun)
        try {
          await this.#ask({ kind: 'volume.destroy', volumeId })
        } catch (error) {
          if (error instanceof RpcError && error.code === 'gone') return
          this.#log.error({ event: 'volume.destroy.failed', volumeId, error: String(error) })
        }
      }),
    )
  }

  /** Removes volumes for good; those that are not there are no error. Rejects with `RpcError` when one is still in use or cannot be removed. */
  async remove(leaseId: string, luns: readonly number[]): Promise<void> {
    await inTurns(luns, async lun => {
      await this.#ask({ kind: 'volume.remove', volumeId: leaseVolumeId(leaseId, lun) })
    })
  }

  async #translated<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action()
    } catch (error) {
      if (!(error instanceof RpcError)) throw error
      if (error.code === 'in-use') throw leaseError('image-in-use', 'disks stand on this image; remove them first')
      this.#log.warn({ event: 'lease.volume.failed', code: error.code, error: error.message })
      if (error.code === 'space') throw leaseError('space', 'the storage is full; try again later, or ask for less')
      throw leaseError('failed', 'the storage could not do it; the log of the server says why')
    }
  }
}

/** Does all, a few at a time; rejects with the first failure after those under way have ended. */
async function inTurns<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  const left = [...items]
  const worker = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) {
      try {
        await act(item)
      } catch (error) {
        left.length = 0
        throw error
      }
    }
  }
  const ends = await Promise.allSettled(Array.from({ length: Math.min(AT_ONCE, items.length) }, worker))
  const failed = ends.find(end => end.status === 'rejected')
  if (failed) throw failed.reason
}
