// What a login ended in: everything a session needs to know about its agreement with the initiator, frozen.

import type { Identity } from './identity.js'
import type { Negotiation } from './negotiation.js'

export interface SessionParameters {
  readonly sessionType: 'normal' | 'discovery'
  readonly initiatorName: string
  /** Absent in discovery sessions only. */
  readonly targetName?: string
  /** Six bytes; with the initiator's name it makes the SCSI initiator port [7143 §4.4.2]. Not frozen, do not write. */
  readonly isid: Buffer
  /** As the initiator sent it: 0 for a new session. The one given out by the target comes from the caller. */
  readonly tsih: number
  readonly headerDigest: boolean
  readonly dataDigest: boolean
  readonly maxConnections: number
  readonly initialR2T: boolean
  readonly immediateData: boolean
  /** Longest data segment that the initiator takes, in bytes. */
  readonly maxRecvDataSegmentLength: number
  /** Longest data segment that we take, in bytes. */
  readonly targetMaxRecvDataSegmentLength: number
  /** Bytes. */
  readonly maxBurstLength: number
  /** Bytes, never more than maxBurstLength. */
  readonly firstBurstLength: number
  readonly maxOutstandingR2T: number
  /** Seconds. */
  readonly defaultTime2Wait: number
  /** Seconds. */
  readonly defaultTime2Retain: number
  readonly dataPduInOrder: boolean
  readonly dataSequenceInOrder: boolean
  readonly errorRecoveryLevel: number
  readonly taskReporting: string
  readonly protocolLevel: number
}

/** Collects the result of a login. `targetMaxRecvDataSegmentLength` is what we declared, or the default of 8192. */
export function sessionParameters(
  identity: Identity,
  agreed: Negotiation,
  targetMaxRecvDataSegmentLength: number,
): SessionParameters {
  const maxBurstLength = agreed.number('MaxBurstLength')
  return Object.freeze({
    sessionType: identity.sessionType,
    initiatorName: identity.initiatorName,
    ...(identity.targetName === undefined ? {} : { targetName: identity.targetName }),
    isid: identity.isid,
    tsih: identity.tsih,
    headerDigest: agreed.choice('HeaderDigest') === 'CRC32C',
    dataDigest: agreed.choice('DataDigest') === 'CRC32C',
    maxConnections: agreed.number('MaxConnections'),
    initialR2T: agreed.boolean('InitialR2T'),
    immediateData: agreed.boolean('ImmediateData'),
    maxRecvDataSegmentLength: agreed.number('MaxRecvDataSegmentLength'),
    targetMaxRecvDataSegmentLength,
    maxBurstLength,
    // One of the two may have stayed at its default [7143 §13.14].
    firstBurstLength: Math.min(agreed.number('FirstBurstLength'), maxBurstLength),
    maxOutstandingR2T: agreed.number('MaxOutstandingR2T'),
    defaultTime2Wait: agreed.number('DefaultTime2Wait'),
    defaultTime2Retain: agreed.number('DefaultTime2Retain'),
    dataPduInOrder: agreed.boolean('DataPDUInOrder'),
    dataSequenceInOrder: agreed.boolean('DataSequenceInOrder'),
    errorRecoveryLevel: agreed.number('ErrorRecoveryLevel'),
    taskReporting: agreed.choice('TaskReporting'),
    protocolLevel: agreed.number('iSCSIProtocolLevel'),
  })
}

/** What holds for a connection that was added to a session: `session`'s parameters, with those that each connection has of its own [7143 §13]. */
export function connectionParameters(own: SessionParameters, session: SessionParameters): SessionParameters {
  const { headerDigest, dataDigest, maxRecvDataSegmentLength, targetMaxRecvDataSegmentLength } = own
  return Object.freeze({
    ...session,
    headerDigest,
    dataDigest,
    maxRecvDataSegmentLength,
    targetMaxRecvDataSegmentLength,
  })
}
