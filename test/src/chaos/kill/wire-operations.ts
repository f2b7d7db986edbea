// An operation of the load as a SCSI command of our own initiator.

import { status } from '@scsipub/scsi'
import { type CommandResult, cdb, type Initiator, provisioningCdb, unmapList } from '@scsipub/testkit'
import type { Dice } from '../dice.js'
import type { DiskOperation } from '../disk-operation.js'
import { blockOf, dataOf, SECTOR_BYTES } from '../sector-value.js'

const FUA = 0x08
const OPCODE = { write: 0x8a, writeFua: 0x8a, writeAtomic: 0x9c, orWrite: 0x8b, compareAndWrite: 0x89 } as const
/** Nothing was done: the unit was busy with another exclusive operation for too long. */
const NOT_BEGUN = 'b/2e/01'
/** Comes in the place of a command, once for each session, after a disk has grown [SPC-4 §5.14]. */
export const GROWN = '6/2a/09'
const MISCOMPARE = 'e/1d/00'

/** True when it was done, false when the target says that nothing was. @throws Error for any other answer, and when the connection ends */
export async function carryOut(initiator: Initiator, operation: DiskOperation, dice: Dice): Promise<boolean> {
  const result = await send(initiator, operation, dice)
  if (result.sense === NOT_BEGUN || result.sense === GROWN) return false
  if (result.status === status.busy || result.status === status.taskSetFull) return false
  const wanted = operation.name === 'miscompare' ? MISCOMPARE : undefined
  if (result.sense === wanted && (wanted !== undefined || result.status === status.good)) return true
  throw new Error(`${operation.name} ${operation.id} ended with status ${result.status}, sense ${result.sense}`)
}

async function send(initiator: Initiator, operation: DiskOperation, dice: Dice): Promise<CommandResult> {
  const { name, id, disk: lun, first, count } = operation
  const length = count * SECTOR_BYTES
  switch (name) {
    case 'write':
    case 'writeFua':
    case 'writeAtomic':
    case 'orWrite':
      return initiator.executeWrite(
        cdb16(OPCODE[name], first, count, name === 'writeFua' ? FUA : 0),
        dataOf(id, first, count),
        { lun },
      )
    case 'compareAndWrite':
    case 'miscompare': {
      const read = await initiator.executeRead(cdb.read16(first, count), length, lun)
      if (read.status !== status.good) return read
      const old = read.data
      if (name === 'miscompare') old[dice.below(length)]! ^= 1
      const data = Buffer.concat([old, dataOf(id, first, count)])
      return initiator.executeWrite(cdb16(OPCODE.compareAndWrite, first, count), data, { lun })
    }
    case 'unmap':
    case 'anchor': {
      const list = unmapList([[first, count]])
      return initiator.executeWrite(provisioningCdb.unmap(list.length, name === 'anchor'), list, { lun })
    }
    case 'writeSame':
      return initiator.executeWrite(provisioningCdb.writeSame16(first, count), blockOf(id), { lun })
    case 'writeZeros':
    case 'unmapSame': {
      const block = Buffer.alloc(SECTOR_BYTES)
      return initiator.executeWrite(provisioningCdb.writeSame16(first, count, { unmap: name === 'unmapSame' }), block, {
        lun,
      })
    }
    case 'flush':
      return initiator.execute(cdb.synchronizeCache10(), lun)
    case 'sanitize':
      throw new Error('the load does not sanitize over the wire')
  }
}

/** Operation code, flags, LBA, and the length in the last four bytes before GROUP NUMBER; in one byte for COMPARE AND WRITE [SBC-3 §5.2]. */
function cdb16(opcode: number, lba: number, blocks: number, flags = 0): Buffer {
  const bytes = Buffer.alloc(16)
  bytes[0] = opcode
  bytes[1] = flags
  bytes.writeBigUInt64BE(BigInt(lba), 2)
  bytes.writeUInt32BE(blocks, 10)
  return bytes
}
