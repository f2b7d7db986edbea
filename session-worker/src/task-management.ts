/**
 * Task management: ends tasks of this session, and answers when none of their I/O is under way any more. [7143 §11.5, §11.6]
 *
 * Left out: what concerns other sessions of the same volume (CLEAR TASK SET, LOGICAL UNIT RESET of a shared LUN, TARGET RESET) is answered
 * "not supported", since saying "complete" would not be true.
 */
import { RejectReason, TaskManagementFunction, taskManagementRequest, taskManagementResponse, TaskManagementStatus } from '@scsipub/iscsi'
import type { TaskManagementRequest } from '@scsipub/iscsi'
import { snLt } from '@scsipub/bytes'
import { decodeLun, establishUnitAttention, senseCodes } from '@scsipub/scsi'
import type { Task } from './command.js'
import type { FullFeature } from './full-feature.js'
import { reject } from './reject.js'

const LUN_AT = 8

export function taskManagementPdu(phase: FullFeature, buffer: Buffer, head: number): void {
  const request = taskManagementRequest.decode(buffer, head)
  if (taskManagementRequest.invalid(request)) return reject(phase, RejectReason.protocolError, buffer, head)
  const { response, aborted } = carryOut(phase, request, decodeLun(buffer, head + LUN_AT))
  const tag = request.initiatorTaskTag
  const busy = aborted.flatMap((task) => (task.pending ? [task.pending] : []))
  if (busy.length === 0) return answer(phase, tag, response)
  phase.later(Promise.allSettled(busy), () => answer(phase, tag, response))
}

interface Result {
  readonly response: number
  readonly aborted: readonly Task[]
}

function carryOut(phase: FullFeature, request: TaskManagementRequest, lun: number): Result {
  const { functionComplete, lunDoesNotExist, reassignmentNotSupported, functionNotSupported } = TaskManagementStatus
  const only = (response: number): Result => ({ response, aborted: [] })
  switch (request.function) {
    case TaskManagementFunction.abortTask:
      return abortTask(phase, request)
    case TaskManagementFunction.abortTaskSet:
      return phase.luns.has(lun) ? { response: functionComplete, aborted: abortLun(phase, lun) } : only(lunDoesNotExist)
    case TaskManagementFunction.clearTaskSet:
    case TaskManagementFunction.logicalUnitReset: {
      const unit = phase.luns.get(lun)
      if (!unit) return only(lunDoesNotExist)
      if (unit.shared) return only(functionNotSupported)
      const aborted = abortLun(phase, lun)
      if (request.function === TaskManagementFunction.logicalUnitReset) {
        establishUnitAttention(unit.nexus.unitAttentions, senseCodes.busDeviceResetOccurred) // [SAM-5 §6.3.3]
      }
      return { response: functionComplete, aborted }
    }
    case TaskManagementFunction.taskReassign:
      return only(reassignmentNotSupported)
    default:
      return only(functionNotSupported)
  }
}

/**
 * A task that has ended is "complete": initiators that aborted it a moment too late loop on any other answer. One that could
 * not have been received yet "does not exist" [7143 §11.6.1].
 */
function abortTask(phase: FullFeature, { referencedTaskTag, refCmdSn }: TaskManagementRequest): Result {
  const task = phase.tasks.get(referencedTaskTag)
  if (task) {
    phase.abortTask(task)
    return { response: TaskManagementStatus.functionComplete, aborted: [task] }
  }
  const ended = snLt(refCmdSn, phase.numbering.expCmdSn)
  return { response: ended ? TaskManagementStatus.functionComplete : TaskManagementStatus.taskDoesNotExist, aborted: [] }
}

function abortLun(phase: FullFeature, lun: number): Task[] {
  const tasks = [...phase.tasks.values()].filter((task) => task.command.lun?.lun === lun)
  for (const task of tasks) phase.abortTask(task)
  return tasks
}

function answer(phase: FullFeature, initiatorTaskTag: number, response: number): void {
  const { numbering, writer } = phase
  const pdu = taskManagementResponse.encode({
    response,
    initiatorTaskTag,
    statSn: numbering.takeStatSn(),
    expCmdSn: numbering.expCmdSn,
    maxCmdSn: numbering.maxCmdSn,
  })
  writer.whole(pdu, Buffer.alloc(0))
}
