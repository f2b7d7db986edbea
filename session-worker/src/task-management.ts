/**
 * Task management: ends tasks of this session, and answers when none of their I/O is under way any more. [7143 §11.5, §11.6]
 *
 * CLEAR TASK SET and LOGICAL UNIT RESET concern the tasks of every nexus: they go to the storage engine, which has all workers do it,
 * this one included. TARGET WARM RESET is that for every LUN; TARGET COLD RESET is more, the target's sessions end after the answer, which the
 * supervisor sees to. Left out: TASK REASSIGN, which is for ErrorRecoveryLevel 2.
 */

import type { TaskManagementRequest } from '@scsipub/iscsi'
import {
  BHS_SIZE,
  RejectReason,
  TaskManagementFunction,
  TaskManagementStatus,
  taskManagementRequest,
  taskManagementResponse,
} from '@scsipub/iscsi'
import { decodeLun } from '@scsipub/scsi'
import { afterEarlierCommands } from './earlier-commands.js'
import type { FullFeature } from './full-feature.js'
import { reject } from './reject.js'

const LUN_AT = 8

export function taskManagementPdu(phase: FullFeature, buffer: Buffer, head: number): void {
  const request = taskManagementRequest.decode(buffer, head)
  if (taskManagementRequest.invalid(request)) return reject(phase, RejectReason.protocolError, buffer, head)
  const lun = decodeLun(buffer, head + LUN_AT)
  const refused = afterEarlierCommands(phase, request, buffer.subarray(head, head + BHS_SIZE), () => {
    const { response, busy, afterwards } = carryOut(phase, request, lun)
    const finish = () => {
      answer(phase, request.initiatorTaskTag, response)
      afterwards?.()
    }
    if (busy.length === 0) finish()
    else phase.tasks.later(Promise.all(busy), finish)
  })
  if (refused !== undefined) reject(phase, refused, buffer, head)
}

/** `busy`: I/O of the tasks that were ended, which has to settle before the answer; `afterwards`: what follows it. */
interface Result {
  readonly response: number
  readonly busy: readonly Promise<void>[]
  readonly afterwards?: () => void
}

function carryOut(phase: FullFeature, request: TaskManagementRequest, number: number): Result {
  const { functionComplete, lunDoesNotExist, reassignmentNotSupported, functionNotSupported } = TaskManagementStatus
  const only = (response: number): Result => ({ response, busy: [] })
  const lun = phase.luns.get(number)
  const abortAll = (): Result => ({
    response: functionComplete,
    busy: phase.session.abortTasks(task => task.command.lun === lun),
  })
  switch (request.function) {
    case TaskManagementFunction.abortTask:
      return abortTask(phase, request)
    case TaskManagementFunction.abortTaskSet:
      return lun ? abortAll() : only(lunDoesNotExist)
    case TaskManagementFunction.clearTaskSet:
    case TaskManagementFunction.logicalUnitReset:
      if (!lun) return only(lunDoesNotExist)
      return {
        response: functionComplete,
        busy: [phase.abortEverywhere(lun, request.function === TaskManagementFunction.logicalUnitReset)],
      }
    case TaskManagementFunction.targetWarmReset:
      return { response: functionComplete, busy: resetUnits(phase) }
    case TaskManagementFunction.targetColdReset:
      return { response: functionComplete, busy: resetUnits(phase), afterwards: () => endSessions(phase) }
    case TaskManagementFunction.taskReassign:
      return only(reassignmentNotSupported)
    default:
      return only(functionNotSupported)
  }
}

function resetUnits(phase: FullFeature): Promise<void>[] {
  return [...phase.luns.values()].map(lun => phase.abortEverywhere(lun, true))
}

/** The initiator has its answer; nothing more of it is taken, and the connections end [7143 §11.5.1]. */
function endSessions(phase: FullFeature): void {
  const { session, connection, tasks } = phase
  connection.flush()
  const busy = session.phases.flatMap(other => other.halt())
  tasks.later(Promise.all([...busy, session.resetTarget()]), () => {})
}

/** "Task does not exist" is for a task that has ended, or a number that is not in the window [7143 §11.6.1]. */
function abortTask(phase: FullFeature, { referencedTaskTag, refCmdSn }: TaskManagementRequest): Result {
  const found = phase.session.task(referencedTaskTag) !== undefined
  const busy = phase.session.abortTasks(task => task.command.initiatorTaskTag === referencedTaskTag)
  const { functionComplete, taskDoesNotExist } = TaskManagementStatus
  return { response: found || phase.order.passOver(refCmdSn) ? functionComplete : taskDoesNotExist, busy }
}

function answer(phase: FullFeature, initiatorTaskTag: number, response: number): void {
  const { numbering, writer } = phase
  const pdu = taskManagementResponse.encode({
    response,
    initiatorTaskTag,
    ...numbering.response(),
  })
  writer.whole(pdu, Buffer.alloc(0))
}
