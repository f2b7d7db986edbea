// The sense catalogue: every condition this device server reports, named once [SPC-4 §4.5.6, annex F].
//
// A row is sense key, additional sense code, qualifier and the standard's text. Whoever meets a condition (a command, the
// transport, a failing medium) refers to a row by name; the numbers stand nowhere else. Codes nobody sends are left out.

/** A condition as the catalogue has it. */
export interface SenseCode {
  readonly key: number
  readonly asc: number
  readonly ascq: number
  readonly text: string
}

/** Sense keys [SPC-4 §4.5.6]. */
export const senseKey = {
  noSense: 0x0,
  recoveredError: 0x1,
  notReady: 0x2,
  mediumError: 0x3,
  hardwareError: 0x4,
  illegalRequest: 0x5,
  unitAttention: 0x6,
  dataProtect: 0x7,
  copyAborted: 0xa,
  abortedCommand: 0xb,
  miscompare: 0xe,
} as const

function code(key: keyof typeof senseKey, asc: number, ascq: number, text: string): SenseCode {
  return Object.freeze({ key: senseKey[key], asc, ascq, text })
}

export const senseCodes = {
  noSense: code('noSense', 0x00, 0x00, 'NO ADDITIONAL SENSE INFORMATION'),

  becomingReady: code('notReady', 0x04, 0x01, 'LOGICAL UNIT IS IN PROCESS OF BECOMING READY'),
  initializingCommandRequired: code('notReady', 0x04, 0x02, 'LOGICAL UNIT NOT READY, INITIALIZING COMMAND REQUIRED'),
  manualInterventionRequired: code('notReady', 0x04, 0x03, 'LOGICAL UNIT NOT READY, MANUAL INTERVENTION REQUIRED'),
  sanitizeInProgress: code('notReady', 0x04, 0x1b, 'LOGICAL UNIT NOT READY, SANITIZE IN PROGRESS'),
  mediumNotPresent: code('notReady', 0x3a, 0x00, 'MEDIUM NOT PRESENT'),

  writeError: code('mediumError', 0x0c, 0x00, 'WRITE ERROR'),
  sanitizeFailed: code('mediumError', 0x31, 0x03, 'SANITIZE COMMAND FAILED'),
  unrecoveredReadError: code('mediumError', 0x11, 0x00, 'UNRECOVERED READ ERROR'),

  internalTargetFailure: code('hardwareError', 0x44, 0x00, 'INTERNAL TARGET FAILURE'),

  operationInProgress: code('illegalRequest', 0x00, 0x16, 'OPERATION IN PROGRESS'),
  parameterListLengthError: code('illegalRequest', 0x1a, 0x00, 'PARAMETER LIST LENGTH ERROR'),
  invalidCommandOperationCode: code('illegalRequest', 0x20, 0x00, 'INVALID COMMAND OPERATION CODE'),
  lbaOutOfRange: code('illegalRequest', 0x21, 0x00, 'LOGICAL BLOCK ADDRESS OUT OF RANGE'),
  invalidToken: code('illegalRequest', 0x23, 0x00, 'INVALID TOKEN OPERATION, CAUSE NOT REPORTABLE'),
  unsupportedTokenType: code('illegalRequest', 0x23, 0x01, 'INVALID TOKEN OPERATION, UNSUPPORTED TOKEN TYPE'),
  tokenUnknown: code('illegalRequest', 0x23, 0x04, 'INVALID TOKEN OPERATION, TOKEN UNKNOWN'),
  tokenExpired: code('illegalRequest', 0x23, 0x07, 'INVALID TOKEN OPERATION, TOKEN EXPIRED'),
  tokenCancelled: code('illegalRequest', 0x23, 0x08, 'INVALID TOKEN OPERATION, TOKEN CANCELLED'),
  tokenDeleted: code('illegalRequest', 0x23, 0x09, 'INVALID TOKEN OPERATION, TOKEN DELETED'),
  invalidTokenLength: code('illegalRequest', 0x23, 0x0a, 'INVALID TOKEN OPERATION, INVALID TOKEN LENGTH'),
  invalidFieldInCdb: code('illegalRequest', 0x24, 0x00, 'INVALID FIELD IN CDB'),
  logicalUnitNotSupported: code('illegalRequest', 0x25, 0x00, 'LOGICAL UNIT NOT SUPPORTED'),
  invalidFieldInParameterList: code('illegalRequest', 0x26, 0x00, 'INVALID FIELD IN PARAMETER LIST'),
  invalidReleaseOfPersistentReservation: code(
    'illegalRequest',
    0x26,
    0x04,
    'INVALID RELEASE OF PERSISTENT RESERVATION',
  ),
  tooManyTargetDescriptors: code('illegalRequest', 0x26, 0x06, 'TOO MANY TARGET DESCRIPTORS'),
  unsupportedTargetDescriptor: code('illegalRequest', 0x26, 0x07, 'UNSUPPORTED TARGET DESCRIPTOR TYPE CODE'),
  tooManySegmentDescriptors: code('illegalRequest', 0x26, 0x08, 'TOO MANY SEGMENT DESCRIPTORS'),
  unsupportedSegmentDescriptor: code('illegalRequest', 0x26, 0x09, 'UNSUPPORTED SEGMENT DESCRIPTOR TYPE CODE'),
  inlineDataLengthExceeded: code('illegalRequest', 0x26, 0x0b, 'INLINE DATA LENGTH EXCEEDED'),
  savingParametersNotSupported: code('illegalRequest', 0x39, 0x00, 'SAVING PARAMETERS NOT SUPPORTED'),
  mediumRemovalPrevented: code('illegalRequest', 0x53, 0x02, 'MEDIUM REMOVAL PREVENTED'),
  insufficientResources: code('illegalRequest', 0x55, 0x03, 'INSUFFICIENT RESOURCES'),
  insufficientRegistrationResources: code('illegalRequest', 0x55, 0x04, 'INSUFFICIENT REGISTRATION RESOURCES'),
  insufficientResourcesToCreateRod: code('illegalRequest', 0x55, 0x0c, 'INSUFFICIENT RESOURCES TO CREATE ROD'),

  mediumMayHaveChanged: code('unitAttention', 0x28, 0x00, 'NOT READY TO READY CHANGE, MEDIUM MAY HAVE CHANGED'),
  powerOnOrReset: code('unitAttention', 0x29, 0x00, 'POWER ON, RESET, OR BUS DEVICE RESET OCCURRED'),
  powerOnOccurred: code('unitAttention', 0x29, 0x01, 'POWER ON OCCURRED'),
  scsiBusResetOccurred: code('unitAttention', 0x29, 0x02, 'SCSI BUS RESET OCCURRED'),
  busDeviceResetOccurred: code('unitAttention', 0x29, 0x03, 'BUS DEVICE RESET FUNCTION OCCURRED'),
  deviceInternalReset: code('unitAttention', 0x29, 0x04, 'DEVICE INTERNAL RESET'),
  itNexusLossOccurred: code('unitAttention', 0x29, 0x07, 'I_T NEXUS LOSS OCCURRED'),
  modeParametersChanged: code('unitAttention', 0x2a, 0x01, 'MODE PARAMETERS CHANGED'),
  reservationsPreempted: code('unitAttention', 0x2a, 0x03, 'RESERVATIONS PREEMPTED'),
  reservationsReleased: code('unitAttention', 0x2a, 0x04, 'RESERVATIONS RELEASED'),
  registrationsPreempted: code('unitAttention', 0x2a, 0x05, 'REGISTRATIONS PREEMPTED'),
  asymmetricAccessStateChanged: code('unitAttention', 0x2a, 0x06, 'ASYMMETRIC ACCESS STATE CHANGED'),
  capacityDataChanged: code('unitAttention', 0x2a, 0x09, 'CAPACITY DATA HAS CHANGED'),
  commandsClearedByAnotherInitiator: code('unitAttention', 0x2f, 0x00, 'COMMANDS CLEARED BY ANOTHER INITIATOR'),
  thinProvisioningSoftThreshold: code('unitAttention', 0x38, 0x07, 'THIN PROVISIONING SOFT THRESHOLD REACHED'),
  commandsClearedByProtocolEvent: code('unitAttention', 0x47, 0x7f, 'SOME COMMANDS CLEARED BY ISCSI PROTOCOL EVENT'),
  inquiryDataChanged: code('unitAttention', 0x3f, 0x03, 'INQUIRY DATA HAS CHANGED'),
  reportedLunsDataChanged: code('unitAttention', 0x3f, 0x0e, 'REPORTED LUNS DATA HAS CHANGED'),

  writeProtected: code('dataProtect', 0x27, 0x00, 'WRITE PROTECTED'),
  spaceAllocationFailed: code('dataProtect', 0x27, 0x07, 'SPACE ALLOCATION FAILED WRITE PROTECT'),

  copyAborted: code('copyAborted', 0x00, 0x00, 'NO ADDITIONAL SENSE INFORMATION'),
  unreachableCopyTarget: code('copyAborted', 0x08, 0x04, 'UNREACHABLE COPY TARGET'),
  thirdPartyDeviceFailure: code('copyAborted', 0x0d, 0x01, 'THIRD PARTY DEVICE FAILURE'),
  copyTargetNotReachable: code('copyAborted', 0x0d, 0x02, 'COPY TARGET DEVICE NOT REACHABLE'),
  incorrectCopyTargetType: code('copyAborted', 0x0d, 0x03, 'INCORRECT COPY TARGET DEVICE TYPE'),
  unexpectedInexactSegment: code('copyAborted', 0x26, 0x0a, 'UNEXPECTED INEXACT SEGMENT'),

  unexpectedUnsolicitedData: code('abortedCommand', 0x0c, 0x0c, 'WRITE ERROR - UNEXPECTED UNSOLICITED DATA'),
  notEnoughUnsolicitedData: code('abortedCommand', 0x0c, 0x0d, 'WRITE ERROR - NOT ENOUGH UNSOLICITED DATA'),
  commandTimeoutBeforeProcessing: code('abortedCommand', 0x2e, 0x01, 'COMMAND TIMEOUT BEFORE PROCESSING'),
  crcErrorDetected: code('abortedCommand', 0x47, 0x05, 'PROTOCOL SERVICE CRC ERROR'),
  dataPhaseError: code('abortedCommand', 0x4b, 0x00, 'DATA PHASE ERROR'),

  miscompareDuringVerify: code('miscompare', 0x1d, 0x00, 'MISCOMPARE DURING VERIFY OPERATION'),
} as const satisfies Record<string, SenseCode>

/** `5/24/00`-style name of a condition with its text, for logs. */
export function senseCodeName({ key, asc, ascq, text }: SenseCode): string {
  const hex = (value: number): string => value.toString(16).toUpperCase().padStart(2, '0')
  return `${key.toString(16).toUpperCase()}/${hex(asc)}/${hex(ascq)} ${text}`
}
