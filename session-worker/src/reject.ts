/** Reject: a PDU that cannot be acted upon goes back with the reason and its header. [7143 §11.17] */
import { BHS_SIZE, RESERVED_TAG, reject as rejectPdu } from '@scsipub/iscsi'
import type { FullFeature } from './full-feature.js'

/** Rejects the PDU whose header is at `head` of `buffer`. */
export function reject(phase: FullFeature, reason: number, buffer: Buffer, head: number): void {
  const { numbering, writer } = phase
  const answer = rejectPdu.encode({
    reason,
    initiatorTaskTag: RESERVED_TAG,
    ...numbering.response(),
  })
  writer.whole(answer, Buffer.from(buffer.subarray(head, head + BHS_SIZE)))
}
