/** SCSI Response PDUs: status, residual and sense of a command that did not end with its data. [7143 §11.4] */
import { scsiResponse } from '@scsipub/iscsi'
import { encodeSense, type Outcome, type Sense, senseCodes, status } from '@scsipub/scsi'
import type { Command } from './command.js'
import type { FullFeature } from './full-feature.js'
import type { Failure } from './medium-sense.js'

const SENSE_LENGTH_BYTES = 2

/** Ends a command with `statusCode`. `moved`: bytes it would have moved over the wire, for the residual [7143 §11.4.5]. */
export function respond(phase: FullFeature, command: Command, statusCode: number, moved: number, sense?: Buffer): void {
  const { writer, numbering } = phase
  const { set } = scsiResponse
  phase.tasks.close(command)
  const bytes = statusCode === status.good ? Math.min(moved, command.expectedBytes) : -1
  phase.counters.answered(command.io, command.beganUs, bytes)
  const length = sense ? SENSE_LENGTH_BYTES + sense.length : 0
  const offset = writer.begin(length)
  const { buffer } = writer
  set.opcode(buffer, offset, scsiResponse.opcode)
  set.final(buffer, offset, true)
  set.status(buffer, offset, statusCode)
  set.initiatorTaskTag(buffer, offset, command.initiatorTaskTag)
  set.statSn(buffer, offset, numbering.takeStatSn())
  set.expCmdSn(buffer, offset, numbering.expCmdSn)
  set.maxCmdSn(buffer, offset, numbering.maxCmdSn)
  set.expDataSn(buffer, offset, command.dataSn)
  const residual = moved - command.expectedBytes
  if (residual !== 0) {
    if (residual > 0) set.overflow(buffer, offset, true)
    else set.underflow(buffer, offset, true)
    set.residualCount(buffer, offset, Math.abs(residual))
  }
  if (sense) {
    buffer.writeUInt16BE(sense.length, offset + writer.dataAt)
    sense.copy(buffer, offset + writer.dataAt + SENSE_LENGTH_BYTES)
  }
  writer.seal(buffer, offset, length)
}

/** Ends a command with CHECK CONDITION, or as the failure says. */
export function respondSense(phase: FullFeature, command: Command, failure: Failure, moved = 0): void {
  if (failure === 'reservationConflict') respond(phase, command, status.reservationConflict, moved)
  else respond(phase, command, status.checkCondition, moved, senseOf(phase, command, failure))
}

/** Ends a command as its outcome says. */
export function respondStatus(
  phase: FullFeature,
  command: Command,
  { status: code, sense }: Extract<Outcome, { kind: 'status' }>,
  moved = 0,
): void {
  respond(phase, command, code, moved, sense && senseOf(phase, command, sense))
}

/** Sense in the format that the control mode page asks for (D_SENSE) [SPC-4 §7.5.8], counted. */
function senseOf(phase: FullFeature, command: Command, sense: Sense): Buffer {
  phase.counters.failed(sense.code.key, sense.code === senseCodes.spaceAllocationFailed)
  return encodeSense(sense, command.lun?.lu.descriptorSense === true ? 'descriptor' : 'fixed')
}
