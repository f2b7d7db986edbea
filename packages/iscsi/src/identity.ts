// Who logs in to what: the part of the first login text that a target must know before it agrees to anything
// [7143 §6.3, §13.4, §13.5, §13.21].

import { LoginStatus } from './codes.js'
import { normalizeName } from './iscsi-name.js'
import type { LoginRefusal } from './login-refusal.js'
import { refuse } from './login-refusal.js'
import type { LoginRequest } from './pdu/login-request.js'
import type { TextPair } from './text.js'

export interface Identity {
  /** In lower case. */
  readonly initiatorName: string
  /** In lower case; absent in discovery sessions that name none. */
  readonly targetName?: string
  readonly sessionType: 'normal' | 'discovery'
  /** Six bytes. */
  readonly isid: Buffer
  /** 0 for a new session. */
  readonly tsih: number
  readonly cid: number
}

/** Reads the identity out of the first whole text of a login. */
export function readIdentity(header: LoginRequest, pairs: readonly TextPair[]): Identity | LoginRefusal {
  const text = new Map(pairs.map(({ key, value }) => [key, value]))
  const initiator = text.get('InitiatorName')
  if (initiator === undefined) return refuse('no InitiatorName [7143 §13.5]', LoginStatus.missingParameter)
  const initiatorName = normalizeName(initiator)
  if (initiatorName === undefined) return refuse('InitiatorName is no iSCSI name [7143 §4.2.7]')

  const type = text.get('SessionType') ?? 'Normal'
  if (type !== 'Normal' && type !== 'Discovery') {
    return refuse('an unknown SessionType [7143 §13.21]', LoginStatus.sessionTypeNotSupported)
  }
  const sessionType = type === 'Normal' ? 'normal' : 'discovery'
  const target = text.get('TargetName')
  if (target === undefined && sessionType === 'normal') {
    return refuse('no TargetName in a normal session [7143 §13.4]', LoginStatus.missingParameter)
  }
  const targetName = target === undefined ? undefined : normalizeName(target)
  if (target !== undefined && targetName === undefined) {
    return refuse('TargetName is no iSCSI name [7143 §4.2.7]', LoginStatus.notFound)
  }
  return {
    initiatorName,
    ...(targetName === undefined ? {} : { targetName }),
    sessionType,
    isid: Buffer.from(header.isid),
    tsih: header.tsih,
    cid: header.cid,
  }
}
