/**
 * VERIFY: reads blocks back and, when asked, compares them with data of the initiator. [SBC-3 §5.33]
 * It goes through the extent piece by piece, so that its memory does not grow with the extent.
 */
import { type Outcome, senseCodes, status } from '@scsipub/scsi'
import type { Command, Task } from './command.js'
import type { FullFeature } from './full-feature.js'
import { mediumSense } from './medium-sense.js'
import { respond, respondSense } from './scsi-response.js'

const PIECE_BYTES = 256 << 10

/** Carries out a VERIFY. `data`: as many bytes as the extent (BYTCHK 1) or one block (BYTCHK 3). */
export function verify(
  phase: FullFeature,
  command: Command,
  outcome: Extract<Outcome, { kind: 'verify' }>,
  data?: Buffer,
  task: Task = phase.tasks.instant(command),
): void {
  const { volume } = command.lun!
  const start = outcome.lba * volume.blockBytes
  const all = outcome.blocks * volume.blockBytes
  const wanted = outcome.byteCheck === 3 ? volume.blockBytes : data ? all : 0
  // Of a shorter offer, as much is compared as there is [7143 §11.4.5.1].
  const total = outcome.byteCheck === 1 && data ? Math.min(all, data.length) : all
  const piece = Buffer.allocUnsafe(Math.min(total, PIECE_BYTES))
  const failed = (error: unknown) => respondSense(phase, command, mediumSense(error), wanted)

  const compare = (position: number, length: number): number => {
    if (!data) return -1
    for (let at = 0; at < length; at++) {
      const inData = outcome.byteCheck === 3 ? (position + at) % volume.blockBytes : position + at
      if (piece[at] !== data[inData]) return position + at
    }
    return -1
  }

  const next = (position: number): void => {
    if (position >= total) return respond(phase, command, status.good, wanted)
    const length = Math.min(piece.length, total - position)
    const compared = () => {
      const differs = compare(position, length)
      if (differs < 0) return next(position + length)
      const information = BigInt(outcome.byteCheck === 3 ? differs % volume.blockBytes : differs)
      respondSense(phase, command, { code: senseCodes.miscompareDuringVerify, information }, wanted)
    }
    phase.tasks.attempt(task, () => volume.read(start + position, piece, 0, length), compared, failed)
  }
  next(0)
}
