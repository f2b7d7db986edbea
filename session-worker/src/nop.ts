/** NOP-Out and NOP-In: the initiator's pings are echoed, ours ask whether it is still there. [7143 §11.18, §11.19] */
import { nopIn, nopOut, RESERVED_TAG, RejectReason } from '@scsipub/iscsi'
import type { FullFeature } from './full-feature.js'
import { reject } from './reject.js'

/** Echoes a ping with its data, cut to what the initiator takes; an answer to our own ping is noted. */
export function nopOutPdu(phase: FullFeature, buffer: Buffer, head: number, dataAt: number, length: number): void {
  const { numbering, writer } = phase
  const ping = nopOut.decode(buffer, head)
  if (nopOut.invalid(ping)) return reject(phase, RejectReason.protocolError, buffer, head)
  if (ping.targetTransferTag !== RESERVED_TAG) phase.liveness.answersPings = true
  if (ping.initiatorTaskTag === RESERVED_TAG) return
  const echoed = Math.min(length, phase.maxRecvDataSegmentLength)
  const answer = nopIn.encode({
    initiatorTaskTag: ping.initiatorTaskTag,
    targetTransferTag: RESERVED_TAG,
    ...numbering.response(),
  })
  writer.whole(answer, buffer.subarray(dataAt, dataAt + echoed))
}

/** Sends a ping. It carries the next StatSN and takes none; its tag is not reserved, so that it must be answered [7143 §11.19.1]. */
export function sendPing(phase: FullFeature): void {
  const { numbering, writer } = phase
  const ping = nopIn.encode({
    initiatorTaskTag: RESERVED_TAG,
    targetTransferTag: phase.takeTransferTag(),
    ...numbering.notice(),
  })
  writer.whole(ping, Buffer.alloc(0))
}
