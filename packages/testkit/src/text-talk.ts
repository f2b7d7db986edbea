// A text negotiation in full feature phase, over as many PDUs as the answer takes [7143 §11.10, §11.11]: while the target
// leaves F at 0 it gives a transfer tag, which an empty request takes back to fetch the next piece.

import type { DecodedFields, Fields } from '@scsipub/bytes'
import { type Pdu, RESERVED_TAG, type TextResponse, textRequest, textResponse } from '@scsipub/iscsi'
import { encodeLun } from '@scsipub/scsi'
import { decodeAs, type ReceivedPdu } from './received-pdu.js'
import { decodePairs, encodeKeys, type TextKeys, type TextPairs } from './text-keys.js'

/** What this needs of an initiator. */
interface Talker {
  request<F extends Fields>(kind: Pdu<F>, fields: Partial<DecodedFields<F>>, data?: Buffer): number
  takePdu<F extends Fields>(kind: Pdu<F>, tag?: number): Promise<ReceivedPdu>
}

const NO_LUN = encodeLun(0)
/** More pieces than any answer here has: the target would be giving out pieces for ever. */
const MAX_PIECES = 1000

export class TextTalk {
  readonly responses: readonly TextResponse[]
  readonly pairs: TextPairs

  private constructor(responses: readonly TextResponse[], pairs: TextPairs) {
    this.responses = responses
    this.pairs = pairs
  }

  /** Values of a key, in their order. */
  values(key: string): string[] {
    return this.pairs.filter(([name]) => name === key).map(([, value]) => value)
  }

  static async exchange(initiator: Talker, keys: TextKeys): Promise<TextTalk> {
    const responses: TextResponse[] = []
    const pieces: Buffer[] = []
    let tag: number | undefined
    let targetTransferTag: number = RESERVED_TAG
    let lun = NO_LUN
    for (let count = 0; count < MAX_PIECES; count++) {
      const fields = { final: true, targetTransferTag, lun, ...(tag !== undefined && { initiatorTaskTag: tag }) }
      tag = initiator.request(textRequest, fields, count === 0 ? encodeKeys(keys) : undefined)
      const pdu = await initiator.takePdu(textResponse, tag)
      const response = decodeAs(textResponse, pdu)
      responses.push(response)
      pieces.push(pdu.data)
      if (response.final) return new TextTalk(responses, decodePairs(Buffer.concat(pieces)))
      targetTransferTag = response.targetTransferTag
      lun = Buffer.from(response.lun)
    }
    throw new Error(`the text has no end after ${MAX_PIECES} pieces`)
  }
}
