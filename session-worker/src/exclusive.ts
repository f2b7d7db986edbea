/**
 * COMPARE AND WRITE, ORWRITE and WRITE ATOMIC: the storage engine does them, alone on the volume; here is what the initiator sees of it.
 *
 * An aborted task waits for the engine like a live one: a task management function is answered when the operation is done or was refused.
 */
import { type Outcome, senseCodes, status, transferLengthBytes } from '@scsipub/scsi'
import type { Command, Task } from './command.js'
import type { FullFeature } from './full-feature.js'
import { mediumSense } from './medium-sense.js'
import { respond, respondSense } from './scsi-response.js'

/** Carries out the operation with the data that the initiator gave for it. */
export function exclusive(
  phase: FullFeature,
  command: Command,
  outcome: Extract<Outcome, { kind: 'exclusive' }>,
  data: Buffer,
  task: Task,
): void {
  const { volume, lu } = command.lun!
  const name = outcome.operation
  const wanted = transferLengthBytes(outcome, lu)
  const offered = command.writes ? command.expectedBytes : 0
  // Half of it would be something else: with less data, nothing is done. Two halves have to be told apart, so for COMPARE AND WRITE more will not do either.
  if (name === 'compareAndWrite' ? offered !== wanted : name === 'writeAtomic' && offered < wanted)
    return respondSense(phase, command, { code: senseCodes.invalidFieldInCdb, field: outcome.lengthField }, wanted)

  const failed = (error: unknown) => respondSense(phase, command, mediumSense(error))
  const good = () => respond(phase, command, status.good, wanted)
  const durable = () => (outcome.fua ? phase.tasks.attempt(task, () => volume.flush(), good, failed) : good())
  // What is offered less than the CDB asks for is ORed as far as whole blocks go, as WRITE does it [7143 §11.4.5.1].
  const length = data.length - (data.length % volume.blockBytes)
  if (length === 0) return durable()

  let miscompareAt: number | undefined
  const act = async () => {
    const operation = { name, position: outcome.lba * volume.blockBytes, data: data.subarray(0, length) }
    const result = await volume.exclusive(operation)
    if ('miscompareAt' in result) miscompareAt = result.miscompareAt
  }
  const done = () => {
    if (miscompareAt === undefined) return durable()
    const sense = { code: senseCodes.miscompareDuringVerify, information: BigInt(miscompareAt) }
    respondSense(phase, command, sense, wanted) // [SBC-3 §5.2]
  }
  phase.tasks.attempt(task, act, done, failed)
}
