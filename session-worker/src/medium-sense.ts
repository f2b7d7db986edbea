/** The one place where a fault of a volume becomes a condition that an initiator sees. [SBC-3 §4.18] */
import { type Sense, senseCodes } from '@scsipub/scsi'
import { VolumeError } from '@scsipub/volume'

const codes = {
  space: senseCodes.spaceAllocationFailed,
  'io-read': senseCodes.unrecoveredReadError,
  'io-write': senseCodes.writeError,
  gone: senseCodes.internalTargetFailure,
  busy: senseCodes.commandTimeoutBeforeProcessing,
  sanitizing: senseCodes.sanitizeInProgress,
  'sanitize-failed': senseCodes.sanitizeFailed,
} as const

/** Sense for a failed volume access. Anything but a `VolumeError` is a bug of ours and is thrown on. */
export function mediumSense(error: unknown): Sense {
  if (error instanceof VolumeError) return { code: codes[error.code] }
  throw error
}
