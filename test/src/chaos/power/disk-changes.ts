// Snapshots of the disk that is for them, and growths of disks, while they are written to; one after the other, as the engine has them too.

import { setImmediate } from 'node:timers/promises'
import type { StorageEngine } from '@scsipub/storage-engine'
import type { Dice } from '../dice.js'
import { SECTOR_BYTES } from '../sector-value.js'
import type { Change, LifeMark } from './life-messages.js'
import { POWER_DISKS } from './power-disks.js'

/** A disk may stand on more of them, and each is read at every look. */
const MOST_SNAPSHOTS = 4
const MOST_GROWTH = 1500
/** In a life. */
const MOST_CHANGES = 5
/** Indexes of disks that are frozen or grown. */
const CHANGED = [...POWER_DISKS.keys()].filter(
  index => POWER_DISKS[index]!.frozen || POWER_DISKS[index]!.mostSectors > 0,
)

/** What loops of changes have in common. */
export interface ChangeLoop {
  readonly engine: StorageEngine
  readonly dice: Dice
  readonly note: (mark: LifeMark) => void
  readonly takeId: () => number
  /** Whether the load goes on. */
  readonly more: () => boolean
}

/** Name of the snapshot that the change of that id takes. */
export const snapshotName = (id: number): string => `snapshot-${id}`

/** Notes the change, does it, and notes how that ended: `act` tells whether it was done. */
export async function doChange(
  { note }: Pick<ChangeLoop, 'note'>,
  id: number,
  change: Change,
  act: () => Promise<unknown>,
): Promise<boolean> {
  note({ kind: 'change', id, change })
  const done = (await act()) !== false
  note({ kind: 'changed', id, done })
  return done
}

/** `sizes`: sectors by index in `POWER_DISKS`, kept up to date. */
export async function changeDisks(loop: ChangeLoop & { readonly sizes: number[] }): Promise<void> {
  const { engine, dice, more, sizes, takeId } = loop
  for (let left = dice.below(MOST_CHANGES + 1); left > 0; left--) {
    for (let turn = dice.below(60); turn > 0 && more(); turn--) await setImmediate()
    const index = dice.pick(CHANGED)
    const { id: volume, frozen, mostSectors } = POWER_DISKS[index]!
    const { snapshots } = await engine.snapshots.list()
    const taken = snapshots.filter(({ volumeId }) => volumeId === volume)
    if (frozen && taken.length < MOST_SNAPSHOTS && dice.chance(0.6)) {
      const id = takeId()
      const item = { volumeId: volume, snapshotId: snapshotName(id) }
      await doChange(loop, id, { what: 'freeze', volume, snapshot: item.snapshotId }, () =>
        engine.snapshots.take([item]),
      )
      continue
    }
    const sectors = Math.min(mostSectors, sizes[index]! + dice.between(1, MOST_GROWTH))
    if (sectors <= sizes[index]!) continue
    const change: Change = { what: 'grow', volume, sectors }
    await doChange(loop, takeId(), change, () => engine.snapshots.resize(volume, sectors * SECTOR_BYTES))
    sizes[index] = sectors
  }
}
