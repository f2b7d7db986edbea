/** Commands that change the state of the logical unit for all of its nexuses: RESERVE, MODE SELECT, START STOP UNIT and the like. */
import { RpcError, type UnitChange } from '@scsipub/contract'
import { senseCodes, status } from '@scsipub/scsi'
import type { Command, Task } from './command.js'
import type { FullFeature } from './full-feature.js'
import { respond, respondSense } from './scsi-response.js'

/** Has the change made and answers. `moved`: bytes of parameter list, for the residual. */
export function changeUnit(
  phase: FullFeature,
  command: Command,
  change: UnitChange,
  moved = 0,
  task: Task = phase.tasks.instant(command),
): void {
  phase.tasks.during(
    task,
    command.lun!.unit.change(change),
    () => respond(phase, command, status.good, moved),
    error => refuse(phase, command, error, moved),
  )
}

function refuse(phase: FullFeature, command: Command, error: unknown, moved: number): void {
  switch (error instanceof RpcError ? error.code : undefined) {
    case 'reserved':
      return respond(phase, command, status.reservationConflict, moved)
    case 'prevented':
      return respondSense(phase, command, { code: senseCodes.mediumRemovalPrevented }, moved)
    // I/O in flight has not ended in time; the initiator tries again.
    case 'busy':
      return respond(phase, command, status.busy, moved)
    case 'gone':
      return respondSense(phase, command, { code: senseCodes.internalTargetFailure }, moved)
    default:
      throw error
  }
}
