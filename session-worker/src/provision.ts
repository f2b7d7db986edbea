/**
 * UNMAP, WRITE SAME, GET LBA STATUS and SANITIZE: the storage engine does them, for nobody else may read or write meanwhile. [SBC-3 §4.7, §4.11]
 */
import type { ExclusiveResults } from '@scsipub/contract'
import {
  type BlockRange,
  invalidFieldInCdb,
  type Outcome,
  type ProvisionOperation,
  type SanitizeMethod,
  senseCodes,
  status,
} from '@scsipub/scsi'
import type { BorrowedVolume } from '@scsipub/volume'
import { type Command, recordOfCommand, type Task } from './command.js'
import type { FullFeature } from './full-feature.js'
import { mediumSense } from './medium-sense.js'
import { respond, respondSense } from './scsi-response.js'

const NOTHING = Buffer.alloc(0)
/** AUSE, in SANITIZE. */
const ALLOW_EXIT = { in: 'cdb', byte: 1, bit: 5 } as const
const SERVICE_ACTION = { in: 'cdb', byte: 1, bit: 4 } as const

export interface Provision {
  readonly operation: ProvisionOperation
  /** Bytes that the command takes from the initiator, for the residual. */
  readonly moved: number
  readonly task: Task
  /** Goes on with parameter data, or whatever else is finished. */
  next(outcome: Outcome): void
}

/** Carries an operation out and answers. */
export function provision(phase: FullFeature, command: Command, o: Provision): void {
  const { operation, moved, task } = o
  const { volume } = command.lun!
  const done = (outcome?: Outcome) =>
    outcome === undefined ? respond(phase, command, status.good, moved) : o.next(outcome)
  const failed = (error: unknown) => respondSense(phase, command, mediumSense(error), moved)
  const run = <T>(asked: Promise<T>, then: (result: T) => void) => {
    let goOn = () => {}
    const settled = asked.then(result => {
      goOn = () => then(result)
    })
    phase.tasks.during(task, settled, () => goOn(), failed)
  }
  switch (operation.name) {
    case 'unmap': {
      const ranges = operation.ranges.map(range => extent(volume, range))
      if (ranges.length === 0) return done()
      return run(volume.exclusive({ name: 'unmap', ranges, anchor: operation.anchor }), () => done())
    }
    case 'writeSame': {
      const { block, unmap, anchor } = operation
      // One block and nothing else belongs to the command: who sends less or more means something else.
      if (moved > 0 && command.expectedBytes !== moved)
        return respondSense(phase, command, { code: senseCodes.invalidFieldInCdb }, moved)
      const range = extent(volume, operation)
      return run(volume.exclusive({ name: 'writeSame', ...range, data: block, unmap, anchor }), () => done())
    }
    case 'lbaStatus': {
      const { limit, answer } = operation
      const range = extent(volume, operation)
      return run(volume.exclusive({ name: 'lbaStatus', ...range, limit }), ({ runs }) =>
        done(answer(runs.map(run => ({ ...blocks(volume, run), status: run.status })))),
      )
    }
    case 'sanitize': {
      const { method, allowExit, immediate } = operation
      const asked = volume.exclusive({ name: 'sanitize', ...patternOf(method), allowExit })
      return run(asked, result => {
        if (result.restricted) return o.next(invalidFieldInCdb(ALLOW_EXIT))
        if (immediate) return done()
        awaitSanitized(phase, { command, moved, task })
      })
    }
    case 'exitSanitizeFailure':
      return run(
        volume.exclusive({ name: 'exitSanitizeFailure' }),
        ({ restricted }: ExclusiveResults['exitSanitizeFailure']) =>
          restricted ? o.next(invalidFieldInCdb(SERVICE_ACTION)) : done(),
      )
  }
}

/**
 * Answers when the sanitize operation has ended. The task waits and can be aborted, but holds up nobody who waits for its I/O to settle: nothing that
 * the session could do ends a sanitize operation [SBC-3 §4.11.2].
 */
export function awaitSanitized(
  phase: FullFeature,
  { command, moved, task }: { command: Command; moved: number; task: Task },
): void {
  task.record = () => ({ kind: 'sanitize', command: recordOfCommand(command), moved })
  phase.tasks.keep(task)
  const settled = command.lun!.volume.sanitized().then(
    () => () => respond(phase, command, status.good, moved),
    (error: unknown) => () => respondSense(phase, command, mediumSense(error), moved),
  )
  phase.tasks.eventually(settled, next => {
    if (!task.aborted) next()
  })
}

function extent({ blockBytes }: BorrowedVolume, { lba, blocks }: BlockRange): { position: number; length: number } {
  return { position: lba * blockBytes, length: blocks * blockBytes }
}

function blocks({ blockBytes }: BorrowedVolume, run: { position: number; length: number }): BlockRange {
  return { lba: run.position / blockBytes, blocks: run.length / blockBytes }
}

function patternOf(method: SanitizeMethod): { method: 'erase' | 'overwrite'; data: Buffer } {
  if (method.kind === 'overwrite') return { method: 'overwrite', data: Buffer.concat(method.passes) }
  return { method: 'erase', data: NOTHING }
}
