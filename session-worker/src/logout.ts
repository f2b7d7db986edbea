/** Logout: the session has one connection, so closing it and closing the session are the same. [7143 §11.14, §11.15] */
import { LogoutReason, logoutRequest, logoutResponse, LogoutStatus, RejectReason } from '@scsipub/iscsi'
import type { FullFeature } from './full-feature.js'
import { reject } from './reject.js'

/** Answers a logout. True when the session ends by it. */
export function logoutPdu(phase: FullFeature, buffer: Buffer, head: number): boolean {
  const { numbering, writer } = phase
  const request = logoutRequest.decode(buffer, head)
  if (logoutRequest.invalid(request)) {
    reject(phase, RejectReason.protocolError, buffer, head)
    return false
  }
  const response = status(phase, request.reasonCode, request.cid)
  const answer = logoutResponse.encode({
    response,
    initiatorTaskTag: request.initiatorTaskTag,
    statSn: numbering.takeStatSn(),
    expCmdSn: numbering.expCmdSn,
    maxCmdSn: numbering.maxCmdSn,
    time2Wait: phase.parameters.defaultTime2Wait,
    time2Retain: 0,
  })
  writer.whole(answer, Buffer.alloc(0))
  return response === LogoutStatus.closed
}

function status(phase: FullFeature, reason: number, cid: number): number {
  if (reason === LogoutReason.closeSession) return LogoutStatus.closed
  if (reason === LogoutReason.closeConnection) return cid === phase.cid ? LogoutStatus.closed : LogoutStatus.cidNotFound
  return LogoutStatus.recoveryNotSupported
}
