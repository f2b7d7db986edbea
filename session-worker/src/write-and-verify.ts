/**
 * WRITE AND VERIFY: writes, makes it durable, since it is the medium that is verified, and reads it back. [SBC-3 §5.37]
 * Of a shorter offer, as much is written and verified as there are whole blocks [7143 §11.4.5.1].
 */
import { type Outcome, status } from '@scsipub/scsi'
import type { Command, Task } from './command.js'
import type { FullFeature } from './full-feature.js'
import { mediumSense } from './medium-sense.js'
import { respond, respondSense } from './scsi-response.js'
import { verifyExtent } from './verify.js'

/** Carries out a WRITE AND VERIFY with the data that the initiator gave for it. */
export function writeAndVerify(
  phase: FullFeature,
  command: Command,
  { lba, blocks, byteCheck }: Extract<Outcome, { kind: 'writeAndVerify' }>,
  data: Buffer,
  task: Task,
): void {
  const { volume } = command.lun!
  const start = lba * volume.blockBytes
  const wanted = blocks * volume.blockBytes
  const length = data.length - (data.length % volume.blockBytes)
  if (length === 0) return respond(phase, command, status.good, wanted)
  const failed = (error: unknown) => respondSense(phase, command, mediumSense(error))
  const verified = () =>
    verifyExtent(phase, command, { start, length, wanted, data: byteCheck === 1 ? data : undefined }, task)
  const written = () => phase.tasks.attempt(task, () => volume.flush(), verified, failed)
  phase.tasks.attempt(task, () => volume.write(start, data, 0, length), written, failed)
}
