/**
 * Task management that overtakes commands: a request for immediate delivery concerns the commands before it, by CmdSN, and with several
 * connections some of them may not have come yet. It is answered when they have, so that none of them is carried out after the answer.
 * [7143 §4.2.3.3, §11.5.1]
 *
 * On the only connection of a session all that was sent before has come before, so nothing is waited for there, nor for what was
 * under way on a connection that is lost. ABORT TASK names the one command that it is about.
 */
import { snDiff } from '@scsipub/bytes'
import { RejectReason, TaskManagementFunction, type TaskManagementRequest } from '@scsipub/iscsi'
import type { FullFeature } from './full-feature.js'

const { abortTaskSet, clearTaskSet, logicalUnitReset, targetWarmReset, targetColdReset } = TaskManagementFunction
const OF_TASK_SETS: readonly number[] = [abortTaskSet, clearTaskSet, logicalUnitReset]
const OF_THE_TARGET: readonly number[] = [targetWarmReset, targetColdReset]

/** Calls `go`, now or when the commands before `request`, whose header is `pdu`, have come; or returns the reason for a Reject: too many wait already. */
export function afterEarlierCommands(
  phase: FullFeature,
  request: TaskManagementRequest,
  pdu: Buffer,
  go: () => void,
): number | undefined {
  const { window, order } = phase.session
  const { cmdSn } = request
  const missing = snDiff(cmdSn, window.expCmdSn)
  const plausible = missing > 0 && snDiff(cmdSn, window.maxCmdSn) <= 1
  if (request.immediate && plausible && phase.session.liveConnections > 1) {
    // A reset of the target ends them whether they have come or not: their numbers are passed over.
    if (OF_THE_TARGET.includes(request.function)) order.passAllBefore(cmdSn)
    else if (OF_TASK_SETS.includes(request.function)) {
      return order.after(cmdSn, phase, pdu, go) ? undefined : RejectReason.immediateCommandReject
    }
  }
  go()
  return undefined
}
