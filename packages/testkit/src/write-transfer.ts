// Data-Out: what goes with a command, what follows it without being asked for, and what answers an R2T [7143 §4.2.4, §11.7].

import { dataOut, type R2t, RESERVED_TAG } from '@scsipub/iscsi'
import { encodeLun } from '@scsipub/scsi'
import type { Agreed } from './login.js'
import type { Wire } from './wire.js'

/** How much of a write goes unasked. `unsolicited`: end of what goes in Data-Out PDUs of its own; undefined: none do, F=1. */
export interface WriteShare {
  /** Bytes in the command PDU. */
  readonly immediate: number
  readonly unsolicited?: number
}

/** What this needs of an initiator. */
interface Sender {
  readonly wire: Wire
  readonly longestSegment: number
  readonly watch: { readonly expStatSn: number }
}

export interface DataOutFields {
  readonly initiatorTaskTag: number
  readonly bufferOffset: number
  readonly dataSn: number
  readonly final: boolean
  /** Of the R2T; none for unsolicited data. */
  readonly targetTransferTag?: number
  readonly lun?: number
}

/** The most that the session lets go unasked [7143 §13.10, §13.11, §13.14]. */
export function usualShare(agreed: Agreed, length: number): WriteShare {
  const first = Math.min(length, agreed.firstBurstLength)
  const immediate = agreed.immediateData ? Math.min(first, agreed.targetMaxRecvDataSegmentLength) : 0
  return agreed.initialR2T || immediate === first ? { immediate } : { immediate, unsolicited: first }
}

/** One Data-Out PDU. */
export function sendDataOut(sender: Sender, fields: DataOutFields, data: Buffer): void {
  const { lun = 0, targetTransferTag = RESERVED_TAG, ...rest } = fields
  const header = dataOut.encode({
    ...rest,
    targetTransferTag,
    lun: encodeLun(lun),
    expStatSn: sender.watch.expStatSn,
  })
  sender.wire.send(header, data)
}

/** The unsolicited Data-Out PDUs of a write, if there are any. */
export function sendUnsolicited(sender: Sender, tag: number, lun: number, data: Buffer, share: WriteShare): void {
  if (share.unsolicited === undefined) return
  sendSequence(sender, { initiatorTaskTag: tag, lun }, data, share.immediate, share.unsolicited)
}

/** Answers an R2T with the data that it asks for. */
export function answerR2t(sender: Sender, request: R2t, data: Buffer): void {
  const { initiatorTaskTag, targetTransferTag, bufferOffset, desiredDataTransferLength } = request
  sendSequence(
    sender,
    { initiatorTaskTag, targetTransferTag },
    data,
    bufferOffset,
    bufferOffset + desiredDataTransferLength,
  )
}

/** A sequence from `start` to `end` of the data, in PDUs as long as the target takes. */
function sendSequence(
  sender: Sender,
  fields: Pick<DataOutFields, 'initiatorTaskTag' | 'targetTransferTag' | 'lun'>,
  data: Buffer,
  start: number,
  end: number,
): void {
  const longest = sender.longestSegment
  let dataSn = 0
  let at = start
  do {
    const next = Math.min(at + longest, end)
    sendDataOut(sender, { ...fields, bufferOffset: at, dataSn, final: next === end }, data.subarray(at, next))
    dataSn += 1
    at = next
  } while (at < end)
}
