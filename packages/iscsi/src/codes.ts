// Code points of RFC 7143 other than opcodes: statuses, reasons, functions, events. Nothing but the standard's numbers.

/** Login status as class and detail [7143 §11.13.5]. Class 2 is final for most initiators, class 3 is tried again. */
export const LoginStatus = {
  success: { class: 0x00, detail: 0x00 },
  targetMovedTemporarily: { class: 0x01, detail: 0x01 },
  targetMovedPermanently: { class: 0x01, detail: 0x02 },
  initiatorError: { class: 0x02, detail: 0x00 },
  authenticationFailure: { class: 0x02, detail: 0x01 },
  authorizationFailure: { class: 0x02, detail: 0x02 },
  notFound: { class: 0x02, detail: 0x03 },
  targetRemoved: { class: 0x02, detail: 0x04 },
  unsupportedVersion: { class: 0x02, detail: 0x05 },
  tooManyConnections: { class: 0x02, detail: 0x06 },
  missingParameter: { class: 0x02, detail: 0x07 },
  cannotIncludeInSession: { class: 0x02, detail: 0x08 },
  sessionTypeNotSupported: { class: 0x02, detail: 0x09 },
  sessionDoesNotExist: { class: 0x02, detail: 0x0a },
  invalidDuringLogin: { class: 0x02, detail: 0x0b },
  targetError: { class: 0x03, detail: 0x00 },
  serviceUnavailable: { class: 0x03, detail: 0x01 },
  outOfResources: { class: 0x03, detail: 0x02 },
} as const

/** Stages in the CSG and NSG fields [7143 §11.12.3]. */
export const LoginStage = { security: 0, operational: 1, fullFeature: 3 } as const

/** Task attribute of a SCSI Command [7143 §11.3.1]. */
export const TaskAttribute = { untagged: 0, simple: 1, ordered: 2, headOfQueue: 3, aca: 4 } as const

/** iSCSI service response in a SCSI Response [7143 §11.4.3]. */
export const ServiceResponse = { completed: 0x00, targetFailure: 0x01 } as const

/** Task management functions [7143 §11.5.1]. */
export const TaskManagementFunction = {
  abortTask: 1,
  abortTaskSet: 2,
  clearAca: 3,
  clearTaskSet: 4,
  logicalUnitReset: 5,
  targetWarmReset: 6,
  targetColdReset: 7,
  taskReassign: 8,
} as const

/** Task management responses [7143 §11.6.1]. */
export const TaskManagementStatus = {
  functionComplete: 0,
  taskDoesNotExist: 1,
  lunDoesNotExist: 2,
  taskStillAllegiant: 3,
  reassignmentNotSupported: 4,
  functionNotSupported: 5,
  authorizationFailed: 6,
  rejected: 255,
} as const

/** Why an initiator logs out [7143 §11.14.1]. */
export const LogoutReason = { closeSession: 0, closeConnection: 1, removeForRecovery: 2 } as const

/** How a logout ended [7143 §11.15.1]. */
export const LogoutStatus = { closed: 0, cidNotFound: 1, recoveryNotSupported: 2, cleanupFailed: 3 } as const

/** Types of SNACK [7143 §11.16.1]. */
export const SnackType = { dataOrR2t: 0, status: 1, dataAck: 2, rDataSnack: 3 } as const

/** Events of an Asynchronous Message [7143 §11.9.1]. */
export const AsyncEvent = {
  scsi: 0,
  logoutRequest: 1,
  connectionDrop: 2,
  sessionDrop: 3,
  negotiationRequest: 4,
  tasksTerminated: 5,
  vendor: 255,
} as const

/** Why a PDU is rejected [7143 §11.17.1]. */
export const RejectReason = {
  dataDigestError: 0x02,
  snackReject: 0x03,
  protocolError: 0x04,
  commandNotSupported: 0x05,
  immediateCommandReject: 0x06,
  taskInProgress: 0x07,
  invalidDataAck: 0x08,
  invalidPduField: 0x09,
  longOperationReject: 0x0a,
  waitingForLogout: 0x0c,
} as const
