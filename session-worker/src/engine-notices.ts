/** What the storage engine tells all workers of a volume, done to one session that may have it. */
import type { EngineNotice } from '@scsipub/contract'
import { establishUnitAttention, senseCodes } from '@scsipub/scsi'
import type { Session } from './session.js'

/** A notice that concerns sessions. */
export type SessionNotice = Extract<EngineNotice, { kind: 'tasks.abort' | 'reservation.changed' | 'unit.attention' }>

/** Resolves when no I/O of tasks that have ended by it is under way any more. */
export async function applyNotice(session: Session, notice: SessionNotice): Promise<void> {
  switch (notice.kind) {
    case 'tasks.abort':
      return abortTasks(session, notice)
    case 'reservation.changed':
      return reservationChanged(session, notice)
    case 'unit.attention':
      return unitAttention(session, notice)
  }
}

/**
 * Some session, maybe this one, has sent CLEAR TASK SET or (`reset`) LOGICAL UNIT RESET for the volume. Tells the initiator by
 * a unit attention. [SAM-5 §6.3.3, §7.4, §7.7]
 */
async function abortTasks(
  session: Session,
  { volumeId, reset, sessionId }: Extract<SessionNotice, { kind: 'tasks.abort' }>,
): Promise<void> {
  for (const lun of session.luns.values()) {
    if (lun.volumeId !== volumeId) continue
    const had = session.taskCount
    const busy = session.abortTasks(task => task.command.lun === lun)
    const { unitAttentions } = lun.nexus
    if (reset) establishUnitAttention(unitAttentions, senseCodes.busDeviceResetOccurred)
    else if (session.id !== sessionId && session.taskCount < had) {
      establishUnitAttention(unitAttentions, senseCodes.commandsClearedByAnotherInitiator)
    }
    session.phases[0]?.connection.flush() // what the freed memory let other tasks ask for
    await Promise.all([...busy, ...session.resetCopies(lun)])
  }
}

/** A session (0: none) has done what all others on the volume have to be told of. */
function unitAttention(
  session: Session,
  { volumeId, sessionId, condition }: Extract<SessionNotice, { kind: 'unit.attention' }>,
): void {
  if (sessionId === session.id) return
  for (const lun of session.luns.values())
    if (lun.volumeId === volumeId) establishUnitAttention(lun.nexus.unitAttentions, senseCodes[condition])
}

/** Somebody has changed the persistent reservation of a volume; this session may lose tasks by PREEMPT AND ABORT. [SPC-4 §5.13.11.2.6] */
async function reservationChanged(
  session: Session,
  { volumeId, attentions, abort }: Extract<SessionNotice, { kind: 'reservation.changed' }>,
): Promise<void> {
  const told = attentions.filter(({ port }) => port === session.port)
  const loses = abort.includes(session.port)
  if (told.length === 0 && !loses) return
  for (const lun of session.luns.values()) {
    if (lun.volumeId !== volumeId) continue
    const had = session.taskCount
    const busy = loses ? session.abortTasks(task => task.command.lun === lun) : []
    const { unitAttentions } = lun.nexus
    if (session.taskCount < had) establishUnitAttention(unitAttentions, senseCodes.commandsClearedByAnotherInitiator)
    for (const { condition } of told) establishUnitAttention(unitAttentions, senseCodes[condition])
    session.phases[0]?.connection.flush() // what the freed memory let other tasks ask for
    await Promise.all([...busy, ...(loses ? session.resetCopies(lun) : [])])
  }
}
