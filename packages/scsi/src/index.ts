// SPC-4 and SBC-3 for a direct-access device: command descriptor blocks and plain facts in, values out. No input or output, no transport.

export type { Command, ReservationClass, ReservationRule, TableEntry } from './command.js'
export { commandTable } from './command-table.js'
export { designates, unitDesignators } from './commands/device-identification.js'
export { maxAtomicBlocks } from './commands/exclusive-writes.js'
export { reservationRefused } from './commands/persistent-reserve.js'
export { relativePort } from './commands/target-port.js'
export type {
  BlockRange,
  BlockSegment,
  CopyJob,
  ExtendedCopy,
  PopulateToken,
  WriteUsingToken,
} from './copy/copy-job.js'
export { THIS_UNIT } from './copy/copy-job.js'
export type { CopyReport, CopyState } from './copy/copy-results.js'
export { copyStatus, failureDetails, rodTokenInformation } from './copy/copy-results.js'
export { extendedCopyList } from './copy/extended-copy-list.js'
export { MAX_CONCURRENT_COPIES, TOKEN_INACTIVITY_TIMEOUT_S } from './copy/limits.js'
export { encodeRodToken, ROD_TOKEN_RANDOM_BYTES } from './copy/rod-token.js'
export { commandName, conflictsWithReservation, conflictsWithReserve, dispatch, reservationClass } from './dispatch.js'
export type { Context, LogicalUnit, Nexus, Provisioning, SanitizeState, Target } from './logical-unit.js'
export { hasMedium } from './logical-unit.js'
export { decodeLun, encodeLun, MAX_LUN, NO_LUN, REPORT_LUNS_WLUN } from './lun.js'
export type { Outcome, UnitChange } from './outcome.js'
export { checkCondition, dataIn, good, invalidFieldInCdb, transferDirection, transferLengthBytes } from './outcome.js'
export type { LbaStatus, ProvisionOperation, SanitizeMethod } from './provision-operation.js'
export { persistentReserveInData } from './reservations/persistent-reserve-in-data.js'
export { reduceReservations } from './reservations/reduce-reservations.js'
export type {
  ReservationAction,
  ReservationAttention,
  ReservationRefusal,
  ReservationResult,
} from './reservations/reservation-action.js'
export type { ReservationState } from './reservations/reservation-state.js'
export {
  compatibleReserve,
  MAX_REGISTRATIONS,
  NO_RESERVATIONS,
  registrationOf,
  reservationAccess,
} from './reservations/reservation-state.js'
export { isAllRegistrants, isReservationType } from './reservations/reservation-type.js'
export { initiatorPortName } from './reservations/transport-id.js'
export type { FieldPointer, Sense } from './sense.js'
export { encodeSense } from './sense.js'
export type { SenseCode } from './sense-codes.js'
export { senseCodeName, senseCodes, senseKey } from './sense-codes.js'
export type { Status } from './status.js'
export { status, statusName } from './status.js'
export type { UnitAttention } from './unit-attention.js'
export { clearUnitAttention, establishUnitAttention, takeUnitAttention } from './unit-attention.js'
