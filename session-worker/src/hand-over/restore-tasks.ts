/**
 * Tasks that another worker has recorded: they wait here as they waited there. Nothing goes on before `resumeShared`, since what has happened to them
 * meanwhile has to be applied first.
 */
import type { PhaseRecord, SharedRecord, TaskRecord } from '@scsipub/contract'
import { commandOfRecord } from '../command.js'
import type { FullFeature } from '../full-feature.js'
import { awaitSanitized } from '../provision.js'
import { resumeCommand, resumeRead } from '../scsi-command.js'
import type { Session } from '../session.js'
import { taskManagementPdu } from '../task-management.js'
import { WriteTask } from '../write-task.js'

/** The tasks of one connection. */
export function restoreTasks(phase: FullFeature, { tasks }: PhaseRecord): void {
  for (const record of tasks) restoreTask(phase, record)
}

/** What the connections share and what refers to their tasks; all phases and tasks are there. */
export function restoreShared(session: Session, { early, budget }: SharedRecord): void {
  session.order.restore(early, cid => phaseOf(session, cid))
  const tasks = (tags: readonly number[]) =>
    tags.map(tag => session.task(tag)).filter((task): task is WriteTask => task instanceof WriteTask)
  session.budget.restore(tasks(budget.granted), tasks(budget.waiting))
}

/** Lets go on what waited for nothing but its turn. */
export function resumeShared(session: Session, { waiting }: SharedRecord): void {
  for (const { cid, pdu } of waiting) taskManagementPdu(phaseOf(session, cid), Buffer.from(pdu), 0)
  session.budget.goOn()
}

function restoreTask(phase: FullFeature, record: TaskRecord): void {
  const command = commandOfRecord(record.command, phase.luns)
  switch (record.kind) {
    case 'write':
      return resumeCommand(phase, command, record)
    case 'read':
      return resumeRead(phase, command, record)
    case 'sanitize':
      return awaitSanitized(phase, { command, moved: record.moved, task: phase.tasks.instant(command) })
  }
}

function phaseOf(session: Session, cid: number): FullFeature {
  const phase = session.phases.find(phase => phase.cid === cid)
  if (!phase) throw new Error(`the record has no connection ${cid}`)
  return phase
}
