/** PERSISTENT RESERVE IN and OUT: the storage engine knows the state and changes it; its answer becomes the initiator's. [SPC-4 §6.15, §6.16] */
import { RpcError } from '@scsipub/contract'
import {
  dataIn,
  type Outcome,
  persistentReserveInData,
  type ReservationAction,
  relativePort,
  reservationRefused,
  senseCodes,
  status,
} from '@scsipub/scsi'
import type { Command, Task } from './command.js'
import type { FullFeature } from './full-feature.js'
import { respond, respondSense, respondStatus } from './scsi-response.js'

/** Has the action done and answers; by then everybody concerned knows. `moved`: bytes of parameter list, for the residual. */
export function persistentReserveOut(
  phase: FullFeature,
  command: Command,
  what: Extract<Outcome, { kind: 'reserveOut' }>,
  moved = 0,
  task: Task = phase.tasks.instant(command),
): void {
  let answer: Outcome | undefined
  const { unit } = command.lun!
  const asked = withNodes(phase, what, action => unit.changeReservations(action)).then(({ refused }) => {
    answer = refused && reservationRefused(refused)
  })
  phase.tasks.during(
    task,
    asked,
    () => {
      if (answer?.kind === 'status') respondStatus(phase, command, answer, moved)
      else respond(phase, command, status.good, moved)
    },
    error => fail(phase, command, error, moved),
  )
}

/** Nodes stand for their ports that are known, which are those with a session on the target [SPC-4 §7.6.4.6]. */
async function withNodes<T>(
  { session }: FullFeature,
  { action, nodes }: Extract<Outcome, { kind: 'reserveOut' }>,
  change: (action: ReservationAction) => Promise<T>,
): Promise<T> {
  if (nodes === undefined || action.name !== 'register') return change(action)
  const known = await session.portsOf(nodes)
  return change({ ...action, others: [...(action.others ?? []), ...known] })
}

/** Asks for the state and goes on with the data that is made of it. */
export function persistentReserveIn(
  phase: FullFeature,
  command: Command,
  { what, allocationLength }: Extract<Outcome, { kind: 'reserveIn' }>,
  then: (data: Outcome) => void,
): void {
  const { unit, target } = command.lun!
  let data: Outcome | undefined
  const asked = unit.readReservations().then(facts => {
    const whole = persistentReserveInData(what, { ...facts, relativePort: relativePort(target) })
    data = dataIn(whole, allocationLength)
  })
  phase.tasks.during(
    phase.tasks.instant(command),
    asked,
    () => then(data!),
    error => fail(phase, command, error, 0),
  )
}

function fail(phase: FullFeature, command: Command, error: unknown, moved: number): void {
  switch (error instanceof RpcError ? error.code : undefined) {
    case 'reserved':
      return respond(phase, command, status.reservationConflict, moved)
    // I/O in flight has not ended in time; the initiator tries again.
    case 'busy':
      return respond(phase, command, status.busy, moved)
    case 'io':
      return respondSense(phase, command, { code: senseCodes.writeError }, moved)
    case 'gone':
      return respondSense(phase, command, { code: senseCodes.internalTargetFailure }, moved)
    default:
      throw error
  }
}
