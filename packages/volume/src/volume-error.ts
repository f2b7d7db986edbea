/**
 * The ways in which I/O on a volume fails, as few as SCSI can tell apart, and how errors of the system map to them.
 *
 *   space     the quota is used up or the file system is full     → 7/27/07 SPACE ALLOCATION FAILED WRITE PROTECT
 *   io-read   data could not be read                              → 3/11/00 UNRECOVERED READ ERROR
 *   io-write  data could not be written or made durable           → 3/0C/00 WRITE ERROR
 *   gone      the volume has been destroyed or closed
 *   busy      an exclusive operation did not get its turn in time; nothing was done → B/2E/01 COMMAND TIMEOUT BEFORE PROCESSING
 *   reserved  another nexus has reserved the logical unit             → status RESERVATION CONFLICT
 *   no-medium the medium has been ejected                         → 2/3A/00 MEDIUM NOT PRESENT
 *   sanitizing        a sanitize operation is under way           → 2/04/1B SANITIZE IN PROGRESS
 *   sanitize-failed   one has failed                              → 3/31/03 SANITIZE COMMAND FAILED
 */
import { VOLUME_STAGE, type VolumeStage } from '@scsipub/contract'

export type VolumeErrorCode =
  | 'space'
  | 'io-read'
  | 'io-write'
  | 'gone'
  | 'busy'
  | 'reserved'
  | 'no-medium'
  | 'sanitizing'
  | 'sanitize-failed'

export class VolumeError extends Error {
  readonly code: VolumeErrorCode

  constructor(code: VolumeErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'VolumeError'
    this.code = code
  }
}

const OUT_OF_SPACE = new Set<unknown>(['ENOSPC', 'EDQUOT'])

/** Whether a failed system call, or a code in a reply, says that the file system has no room. */
export function isOutOfSpace(error: unknown): boolean {
  return error instanceof Error && 'code' in error && OUT_OF_SPACE.has(error.code)
}

/** The VolumeError of a volume in a stage in which there is no I/O; undefined in the others. */
export function hindrance(stage: VolumeStage, volumeId: string): VolumeError | undefined {
  switch (stage) {
    case VOLUME_STAGE.gone:
      return new VolumeError('gone', `the volume ${volumeId} has been destroyed or closed`)
    case VOLUME_STAGE.sanitizing:
      return new VolumeError('sanitizing', `the volume ${volumeId} is being sanitized`)
    case VOLUME_STAGE.sanitizeFailed:
      return new VolumeError('sanitize-failed', `sanitizing the volume ${volumeId} has failed`)
    default:
      return undefined
  }
}

/** The VolumeError for a borrower that a reservation or an ejected medium keeps out. */
export function notForNow(code: 'reserved' | 'no-medium', volumeId: string): VolumeError {
  return new VolumeError(code, `the logical unit of ${volumeId} is not for this session now`)
}

/** The VolumeError for what a read has thrown. */
export function readFailure(path: string, error: unknown): VolumeError {
  return (
    asVolumeError(error) ?? new VolumeError('io-read', `cannot read ${path}: ${messageOf(error)}`, { cause: error })
  )
}

/** The VolumeError for what a write has thrown. */
export function writeFailure(path: string, error: unknown): VolumeError {
  const code = isOutOfSpace(error) ? 'space' : 'io-write'
  return asVolumeError(error) ?? new VolumeError(code, `cannot write ${path}: ${messageOf(error)}`, { cause: error })
}

function asVolumeError(error: unknown): VolumeError | undefined {
  return error instanceof VolumeError ? error : undefined
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
