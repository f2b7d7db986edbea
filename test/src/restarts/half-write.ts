// A write that a session is in the middle of.

import { r2t } from '@scsipub/iscsi'
import { cdb, type Initiator } from '@scsipub/testkit'
import { BLOCK } from '../protocol/lab.js'

const LBA = 256
const BLOCKS = 600

/** Begins to write 600 blocks at block 256; resolves when the target waits for more than it has. */
export async function beginWrite(initiator: Initiator): Promise<void> {
  const write = { cdb: cdb.write10(LBA, BLOCKS), write: true, expectedDataTransferLength: BLOCKS * BLOCK }
  await initiator.take(r2t, initiator.sendCommand(write))
}
