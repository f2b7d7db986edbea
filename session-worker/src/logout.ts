/**
 * Logout: of the session with all its connections, or of one connection, this or another one. [7143 §11.14, §11.15]
 * Left out: removing a connection for recovery, which is for ErrorRecoveryLevel 2.
 */
import { LogoutReason, LogoutStatus, logoutRequest, logoutResponse, RejectReason } from '@scsipub/iscsi'
import type { FullFeature } from './full-feature.js'
import { reject } from './reject.js'

/**
 * Answers a logout. The tasks of what is logged out are ended first: nothing of them is done or answered after the Logout Response
 * [7143 §11.14]. Where that ends the session, the nexus is lost: others find the units free as soon as it is answered [SAM-5 §6.3.4].
 */
export function logoutPdu(phase: FullFeature, buffer: Buffer, head: number): void {
  const request = logoutRequest.decode(buffer, head)
  if (logoutRequest.invalid(request)) return reject(phase, RejectReason.protocolError, buffer, head)
  const { initiatorTaskTag, reasonCode, cid } = request
  if (reasonCode === LogoutReason.removeForRecovery) {
    return answer(phase, initiatorTaskTag, LogoutStatus.recoveryNotSupported)
  }
  const { session, tasks } = phase
  const wholeSession = reasonCode === LogoutReason.closeSession
  const leaving = session.phases.filter(other => !other.stopped && (wholeSession || other.cid === cid))
  if (leaving.length === 0) return answer(phase, initiatorTaskTag, LogoutStatus.cidNotFound)
  const close = () => {
    answer(phase, initiatorTaskTag, LogoutStatus.closed)
    for (const other of leaving) other.loggedOut()
    if (wholeSession) session.close('logout', 'the session was logged out')
  }
  const leaveUnits = () => {
    const endsSession = wholeSession || (cid === phase.cid && session.places === 1)
    const waiting = endsSession ? session.leaveUnits() : undefined
    if (waiting !== undefined) tasks.later(waiting, close)
    else close()
  }
  const busy = leaving.flatMap(other => other.halt())
  if (busy.length > 0) tasks.later(Promise.all(busy), leaveUnits)
  else leaveUnits()
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
