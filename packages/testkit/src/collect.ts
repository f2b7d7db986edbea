// Takes everything that the target sends for one command, up to its status, and checks what holds for every command: Data-In
// and R2T PDUs are numbered and in order, and no more is asked for or sent than was agreed on [7143 §11.7, §11.8].

import { type DataIn, dataIn, Opcode, type R2t, r2t, type ScsiResponse, scsiResponse } from '@scsipub/iscsi'
import { type CommandResult, senseIn, senseText } from './command-result.js'
import type { Agreed } from './login.js'
import { decodeAs, describe, type ReceivedPdu } from './received-pdu.js'
import type { Wire } from './wire.js'
import { answerR2t } from './write-transfer.js'

interface Collector {
  readonly wire: Wire
  readonly agreed: Agreed
  readonly longestSegment: number
  readonly watch: { readonly expStatSn: number }
}

interface Collecting {
  readonly tag: number
  /** Answers R2Ts. */
  readonly data: Buffer | undefined
  readonly deadlineMs: number | undefined
}

interface Ended {
  readonly status: number
  readonly statSn: number
  readonly overflow: boolean
  readonly underflow: boolean
  readonly residualCount: number
}

/** @throws Error when the target breaks a rule, or does not answer in time */
export async function collectCommand(
  initiator: Collector,
  { tag, data, deadlineMs }: Collecting,
): Promise<CommandResult> {
  const pieces: Buffer[] = []
  const dataIns: DataIn[] = []
  const r2ts: R2t[] = []
  const end = (ended: Ended, response?: ScsiResponse, senseData?: Buffer): CommandResult => ({
    status: ended.status,
    sense: senseData && senseText(senseData),
    senseData,
    data: Buffer.concat(pieces),
    dataIns,
    r2ts,
    response,
    overflow: ended.overflow ? ended.residualCount : 0,
    underflow: ended.underflow ? ended.residualCount : 0,
    statSn: ended.statSn,
  })
  for (;;) {
    const pdu: ReceivedPdu = await initiator.wire.inbox.take({
      what: `answer to task ${tag}`,
      matches: one => one.initiatorTaskTag === tag,
      ...(deadlineMs === undefined ? {} : { deadlineMs }),
    })
    if (pdu.opcode === Opcode.scsiResponse) {
      const fields = decodeAs(scsiResponse, pdu)
      return end(fields, fields, senseIn(pdu.data))
    }
    if (pdu.opcode === Opcode.dataIn) {
      const fields = decodeAs(dataIn, pdu)
      checkDataIn(
        fields,
        dataIns.length,
        pieces.reduce((sum, piece) => sum + piece.length, 0),
        initiator.agreed,
      )
      pieces.push(pdu.data)
      dataIns.push(fields)
      if (fields.statusPresent) return end(fields)
      continue
    }
    if (pdu.opcode !== Opcode.r2t) throw new Error(`not an answer to a command: ${describe(pdu)}`)
    const fields = decodeAs(r2t, pdu)
    checkR2t(fields, r2ts.length, initiator.agreed)
    r2ts.push(fields)
    if (!data) throw new Error(`an R2T for a command that writes nothing: ${describe(pdu)}`)
    answerR2t(initiator, fields, data)
  }
}

function checkDataIn(fields: DataIn, count: number, offset: number, agreed: Agreed): void {
  if (fields.dataSn !== count) throw new Error(`DataSN ${fields.dataSn} where ${count} is next [7143 §11.7.5]`)
  if (fields.bufferOffset !== offset) {
    throw new Error(`data at ${fields.bufferOffset} where ${offset} is next, DataPDUInOrder=Yes [7143 §13.18]`)
  }
  if (fields.dataSegmentLength > agreed.ownMaxRecvDataSegmentLength) {
    throw new Error(`a data segment of ${fields.dataSegmentLength} bytes [7143 §13.12]`)
  }
}

function checkR2t(fields: R2t, count: number, agreed: Agreed): void {
  if (fields.r2tSn !== count) throw new Error(`R2TSN ${fields.r2tSn} where ${count} is next [7143 §11.8.2]`)
  if (fields.desiredDataTransferLength > agreed.maxBurstLength) {
    throw new Error(`an R2T for ${fields.desiredDataTransferLength} bytes [7143 §13.13]`)
  }
}
