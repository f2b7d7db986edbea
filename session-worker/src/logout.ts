/** Logout: the session has one connection, so closing it and closing the session are the same. [7143 §11.14, §11.15] */
import { LogoutReason, LogoutStatus, logoutRequest, logoutResponse, RejectReason } from '@scsipub/iscsi'
import type { FullFeature } from './full-feature.js'
import { reject } from './reject.js'

/**
 * Answers a logout. When the session ends by it, its tasks are ended first: nothing of them is done or answered after the
 * Logout Response [7143 §11.14]. `ended` is told then.
 */
export function logoutPdu(phase: FullFeature, buffer: Buffer, head: number, ended: () => void): void {
  const request = logoutRequest.decode(buffer, head)
  if (logoutRequest.invalid(request)) return reject(phase, RejectReason.protocolError, buffer, head)
  const response = status(phase, request.reasonCode, request.cid)
  if (response !== LogoutStatus.closed) return answer(phase, request.initiatorTaskTag, response)
  phase.stop(() => {
    answer(phase, request.initiatorTaskTag, response)
    ended()
  })
}

function answer(phase: FullFeature, initiatorTaskTag: number, response: number): void {
  const { numbering, writer } = phase
  const pdu = logoutResponse.encode({
    response,
    initiatorTaskTag,
    ...numbering.response(),
    time2Wait: phase.parameters.defaultTime2Wait,
    time2Retain: 0,
  })
  writer.whole(pdu, Buffer.alloc(0))
}

function status(phase: FullFeature, reason: number, cid: number): number {
  if (reason === LogoutReason.closeSession) return LogoutStatus.closed
  if (reason === LogoutReason.closeConnection) return cid === phase.cid ? LogoutStatus.closed : LogoutStatus.cidNotFound
  return LogoutStatus.recoveryNotSupported
}
