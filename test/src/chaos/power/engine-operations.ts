// An operation of the load, carried out on a borrowed volume as a session worker would.

import { type BorrowedVolume, VolumeError } from '@scsipub/volume'
import type { Dice } from '../dice.js'
import type { DiskOperation } from '../disk-operation.js'
import { blockOf, dataOf, SECTOR_BYTES } from '../sector-value.js'

const NO_DATA = Buffer.alloc(0)

/** True when it was done, false when nothing was done for want of room. Anything else throws. */
export async function carryOut(volume: BorrowedVolume, operation: DiskOperation, dice: Dice): Promise<boolean> {
  try {
    await run(volume, operation, dice)
    return true
  } catch (error) {
    if (error instanceof VolumeError && error.code === 'space') return false
    throw error
  }
}

async function run(volume: BorrowedVolume, { name, id, first, count }: DiskOperation, dice: Dice): Promise<void> {
  const position = first * SECTOR_BYTES
  const length = count * SECTOR_BYTES
  switch (name) {
    case 'write':
    case 'writeFua':
      await volume.write(position, dataOf(id, first, count), 0, length)
      if (name === 'writeFua') await volume.flush()
      return
    case 'writeAtomic':
      await volume.exclusive({ name, position, data: dataOf(id, first, count) })
      return
    case 'compareAndWrite':
    case 'miscompare': {
      const old = Buffer.alloc(length)
      await volume.read(position, old, 0, length)
      if (name === 'miscompare') old[dice.below(length)]! ^= 1
      const data = Buffer.concat([old, dataOf(id, first, count)])
      const { miscompareAt } = await volume.exclusive({ name: 'compareAndWrite', position, data })
      if ((miscompareAt !== undefined) !== (name === 'miscompare'))
        throw new Error(`operation ${id}: ${name} compared wrongly`)
      return
    }
    case 'orWrite':
      await volume.exclusive({ name, position, data: dataOf(id, first, count) })
      return
    case 'unmap':
    case 'anchor':
      await volume.exclusive({ name: 'unmap', ranges: [{ position, length }], anchor: name === 'anchor' })
      return
    case 'writeSame':
      await volume.exclusive({ name, position, length, data: blockOf(id), unmap: false, anchor: false })
      return
    case 'writeZeros':
    case 'unmapSame': {
      const data = Buffer.alloc(SECTOR_BYTES)
      await volume.exclusive({ name: 'writeSame', position, length, data, unmap: name === 'unmapSame', anchor: false })
      return
    }
    case 'flush':
      await volume.flush()
      return
    case 'sanitize':
      await volume.exclusive({ name, method: 'erase', data: NO_DATA, allowExit: true })
  }
}
