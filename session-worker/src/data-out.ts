/** Data-Out PDUs: finds the task they belong to. [7143 §11.7] */
import { dataOut, RESERVED_TAG, RejectReason } from '@scsipub/iscsi'
import type { FullFeature } from './full-feature.js'
import { reject } from './reject.js'
import { WriteTask } from './write-task.js'

/**
 * Gives the data to its task. Data of a task that has ended, by an early error or an abort, was sent before the initiator knew;
 * it is dropped in silence [7143 §11.5.1]; data of a command whose turn has not come are held with it. A transfer tag that no R2T of the task has given out is rejected, and so are data that come by
 * another connection than their command [7143 §4.2.2.1.3].
 */
export function dataOutPdu(phase: FullFeature, buffer: Buffer, head: number, dataAt: number, length: number): void {
  const { get } = dataOut
  const task = phase.tasks.get(get.initiatorTaskTag(buffer, head))
  if (!task) return withoutTask(phase, { buffer, head, dataAt, length })
  const targetTransferTag = get.targetTransferTag(buffer, head)
  if (!(task instanceof WriteTask) || (targetTransferTag !== RESERVED_TAG && !task.expects(targetTransferTag))) {
    return reject(phase, RejectReason.protocolError, buffer, head)
  }
  task.dataOut({
    buffer,
    dataAt,
    length,
    targetTransferTag,
    dataSn: get.dataSn(buffer, head),
    bufferOffset: get.bufferOffset(buffer, head),
    final: get.final(buffer, head),
  })
}

function withoutTask(phase: FullFeature, pdu: { buffer: Buffer; head: number; dataAt: number; length: number }): void {
  const { buffer, head } = pdu
  const held = phase.order.holdData(phase, pdu, phase.parameters.firstBurstLength)
  const elsewhere = phase.session.task(dataOut.get.initiatorTaskTag(buffer, head)) !== undefined
  if (held === 'too much' || (held === 'unknown' && elsewhere)) reject(phase, RejectReason.protocolError, buffer, head)
}
