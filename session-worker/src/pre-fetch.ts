/** PRE-FETCH: reads blocks so that they are in the page cache, and forgets them. [SBC-3 §5.8] */
import { type Outcome, status } from '@scsipub/scsi'
import type { Command } from './command.js'
import type { FullFeature } from './full-feature.js'
import { mediumSense } from './medium-sense.js'
import { respond, respondSense } from './scsi-response.js'

const PIECE_BYTES = 256 << 10
/** What is read is of no interest, so all commands may read into the same memory. */
const sink = Buffer.allocUnsafeSlow(PIECE_BYTES)

/** Carries out a PRE-FETCH. The answer comes when the blocks are there, also where it might come before (IMMED). */
export function preFetch(
  phase: FullFeature,
  command: Command,
  { lba, blocks, fits }: Extract<Outcome, { kind: 'preFetch' }>,
): void {
  const { volume } = command.lun!
  const end = (lba + blocks) * volume.blockBytes
  const task = phase.tasks.instant(command)
  const next = (position: number): void => {
    // CONDITION MET says that all of it found room [SBC-3 §5.8].
    if (position >= end) return respond(phase, command, fits ? status.conditionMet : status.good, 0)
    const length = Math.min(PIECE_BYTES, end - position)
    phase.tasks.attempt(
      task,
      () => volume.read(position, sink, 0, length),
      () => next(position + length),
      error => respondSense(phase, command, mediumSense(error)),
    )
  }
  next(lba * volume.blockBytes)
}
