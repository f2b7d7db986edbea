// Disks that come and go while others are written to: blank ones and clones of snapshots are made, written to, frozen, grown and removed, and snapshots on which
// nothing stands are destroyed. One change after the other, so that it is known of each what the next one finds.

import { setImmediate } from 'node:timers/promises'
import { RpcError } from '@scsipub/contract'
import type { BorrowedVolume } from '@scsipub/volume'
import type { DiskOperation, OperationName } from '../disk-operation.js'
import { SECTOR_BYTES } from '../sector-value.js'
import { type ChangeLoop, doChange, snapshotName } from './disk-changes.js'
import { carryOut } from './engine-operations.js'
import type { Change } from './life-messages.js'
import type { OpenState } from './open-state.js'
import { specOfPassing } from './power-disks.js'

/** In a life. */
const MOST_CHANGES = 18
const MOST_DISKS = 3
const MOST_SNAPSHOTS = 7
const MOST_BLANK_SECTORS = 300
const MOST_GROWTH = 200
const MOST_WRITES = 6
/** None that adds to what is below: the ledger of a clone does not know those bytes. */
const WRITES: Readonly<Partial<Record<OperationName, number>>> = {
  write: 6,
  writeFua: 2,
  writeAtomic: 2,
  unmap: 2,
  writeZeros: 1,
  flush: 2,
}
const CHANGES = { make: 5, clone: 4, write: 8, freeze: 3, grow: 2, remove: 4, destroy: 5 } as const

export async function passThrough(loop: ChangeLoop & { readonly state: OpenState }): Promise<void> {
  const { dice, state } = loop
  const passing = new PassingDisks(loop, new Map(state.passing))
  for (let left = dice.between(1, MOST_CHANGES); left > 0; left--) {
    for (let turn = dice.below(8); turn > 0; turn--) await setImmediate()
    await passing.change(dice.weighted<keyof typeof CHANGES>(CHANGES))
  }
}

class PassingDisks {
  readonly #loop: ChangeLoop & { readonly state: OpenState }
  readonly #disks: Map<string, BorrowedVolume>

  constructor(loop: ChangeLoop & { readonly state: OpenState }, disks: Map<string, BorrowedVolume>) {
    this.#loop = loop
    this.#disks = disks
  }

  async change(name: keyof typeof CHANGES): Promise<void> {
    const { dice } = this.#loop
    const { snapshots } = await this.#loop.engine.snapshots.list()
    if (name === 'destroy') {
      if (snapshots.length > 0) await this.#destroy(dice.pick(snapshots).snapshotId)
      return
    }
    if (name === 'make' || name === 'clone') {
      if (this.#disks.size === MOST_DISKS) return
      if (name === 'make') await this.#make(dice.between(1, MOST_BLANK_SECTORS))
      else if (snapshots.length > 0) {
        const { snapshotId, sizeBytes } = dice.pick(snapshots)
        await this.#make(sizeBytes / SECTOR_BYTES + dice.pick([0, 0, 1, 77]), snapshotId)
      }
      return
    }
    if (this.#disks.size === 0) return
    const [volume, disk] = dice.pick([...this.#disks])
    if (name === 'write')
      for (let left = dice.between(1, MOST_WRITES); left > 0; left--) await this.#write(volume, disk)
    else if (name === 'remove') await this.#remove(volume, disk)
    else if (name === 'grow') await this.#grow(volume, disk)
    else if (snapshots.length < MOST_SNAPSHOTS) await this.#freeze(volume)
  }

  /** A blank disk, or a clone. */
  async #make(sectors: number, snapshot?: string): Promise<void> {
    const { engine, state, takeId } = this.#loop
    const id = takeId()
    const volume = `${snapshot === undefined ? 'blank' : 'clone'}-${id}`
    const change: Change = { what: 'make', volume, sectors, ...(snapshot !== undefined && { snapshot }) }
    await doChange(this.#loop, id, change, async () => {
      const descriptor = await engine.open(specOfPassing(volume, sectors, snapshot))
      this.#disks.set(volume, state.borrow(descriptor))
    })
  }

  async #write(volume: string, disk: BorrowedVolume): Promise<void> {
    const { dice, note, takeId } = this.#loop
    const sectors = disk.sizeBytes / SECTOR_BYTES
    const name = dice.weighted<OperationName>(WRITES)
    const whole = name === 'flush' ? { first: 0, count: 0 } : undefined
    const first = dice.below(sectors)
    const count = dice.between(1, Math.min(sectors - first, 64))
    const operation: DiskOperation = { id: takeId(), name, disk: 0, ...(whole ?? { first, count }) }
    note({ kind: 'begin', volume, operation })
    note({ kind: 'end', id: operation.id, done: await carryOut(disk, operation, dice) })
  }

  async #freeze(volume: string): Promise<void> {
    const { engine, takeId } = this.#loop
    const id = takeId()
    const snapshot = snapshotName(id)
    const items = [{ volumeId: volume, snapshotId: snapshot }]
    await doChange(this.#loop, id, { what: 'freeze', volume, snapshot }, () => engine.snapshots.take(items))
  }

  async #grow(volume: string, disk: BorrowedVolume): Promise<void> {
    const { engine, dice, takeId } = this.#loop
    const sectors = disk.sizeBytes / SECTOR_BYTES + dice.between(1, MOST_GROWTH)
    const change: Change = { what: 'grow', volume, sectors }
    await doChange(this.#loop, takeId(), change, () => engine.snapshots.resize(volume, sectors * SECTOR_BYTES))
  }

  /** While it is open, or after it was closed. */
  async #remove(volume: string, disk: BorrowedVolume): Promise<void> {
    const { engine, dice, takeId } = this.#loop
    disk.release()
    this.#disks.delete(volume)
    if (dice.chance(0.5)) await engine.destroy(volume)
    await doChange(this.#loop, takeId(), { what: 'remove', volume }, () => engine.remove(volume))
  }

  /** Is refused where something stands on it. */
  async #destroy(snapshot: string): Promise<void> {
    const { engine, takeId } = this.#loop
    await doChange(this.#loop, takeId(), { what: 'destroy', snapshot }, async () => {
      try {
        await engine.snapshots.destroy(snapshot)
        return true
      } catch (error) {
        if (error instanceof RpcError && error.code === 'in-use') return false
        throw error
      }
    })
  }
}
