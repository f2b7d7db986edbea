/** The one place where a fault of a volume becomes what an initiator sees. [SBC-3 §4.18] */
import { type Sense, senseCodes } from '@scsipub/scsi'
import { VolumeError } from '@scsipub/volume'

/** What ends a command that could not be carried out: CHECK CONDITION with this sense, or the status RESERVATION CONFLICT. */
export type Failure = Sense | 'reservationConflict'

const codes = {
  space: senseCodes.spaceAllocationFailed,
  'io-read': senseCodes.unrecoveredReadError,
  'io-write': senseCodes.writeError,
  gone: senseCodes.internalTargetFailure,
  busy: senseCodes.commandTimeoutBeforeProcessing,
  sanitizing: senseCodes.sanitizeInProgress,
  'sanitize-failed': senseCodes.sanitizeFailed,
  'no-medium': senseCodes.mediumNotPresent,
} as const

/** What a failed volume access comes to. Anything but a `VolumeError` is a bug of ours and is thrown on. */
export function mediumSense(error: unknown): Failure {
  if (!(error instanceof VolumeError)) throw error
  return error.code === 'reserved' ? 'reservationConflict' : { code: codes[error.code] }
}
