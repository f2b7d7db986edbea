/**
 * VERIFY: reads blocks back and, when asked, compares them with data of the initiator. [SBC-3 §5.29]
 * It goes through the extent piece by piece, so that its memory does not grow with the extent.
 */
import { type Outcome, senseCodes, status } from '@scsipub/scsi'
import type { Command, Task } from './command.js'
import type { FullFeature } from './full-feature.js'
import { mediumSense } from './medium-sense.js'
import { readBytes } from './read-bytes.js'
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
  const { blockBytes } = command.lun!.volume
  const { byteCheck } = outcome
  const all = outcome.blocks * blockBytes
  const wanted = byteCheck === 3 ? blockBytes : data ? all : 0
  // A part of the one block says nothing about any block.
  if (byteCheck === 3 && data && data.length < wanted)
    return respondSense(phase, command, { code: senseCodes.invalidFieldInCdb }, wanted)
  // Of a shorter offer, as much is compared as there is [7143 §11.4.5.1].
  const length = byteCheck === 1 && data ? Math.min(all, data.length) : all
  verifyExtent(phase, command, { start: outcome.lba * blockBytes, length, wanted, data }, task)
}

/** `start`, `length`: what is read back, in bytes. `wanted`: for the residual. `data`: compared with, again and again when it is shorter. */
export interface VerifiedExtent {
  readonly start: number
  readonly length: number
  readonly wanted: number
  readonly data: Buffer | undefined
}

/** Reads the extent back, compares it, and answers: GOOD, or a miscompare with the offset of the first byte of the data that differs. */
export function verifyExtent(
  phase: FullFeature,
  command: Command,
  { start, length: total, wanted, data }: VerifiedExtent,
  task: Task,
): void {
  const { volume } = command.lun!
  const piece = Buffer.allocUnsafe(Math.min(total, PIECE_BYTES))
  const failed = (error: unknown) => respondSense(phase, command, mediumSense(error), wanted)

  const compare = (position: number, length: number): number => {
    if (!data) return -1
    for (let at = 0; at < length; ) {
      const from = (position + at) % data.length
      const run = Math.min(length - at, data.length - from)
      const mine = piece.subarray(at, at + run)
      if (data.compare(mine, 0, run, from, from + run) !== 0)
        return from + mine.findIndex((byte, index) => byte !== data[from + index])
      at += run
    }
    return -1
  }

  const next = (position: number): void => {
    if (position >= total) return respond(phase, command, status.good, wanted)
    const length = Math.min(piece.length, total - position)
    const compared = () => {
      const differs = compare(position, length)
      if (differs < 0) return next(position + length)
      const sense = { code: senseCodes.miscompareDuringVerify, information: BigInt(differs) }
      respondSense(phase, command, sense, wanted)
    }
    phase.tasks.attempt(task, () => readBytes(volume, start + position, piece, 0, length), compared, failed)
  }
  next(0)
}
