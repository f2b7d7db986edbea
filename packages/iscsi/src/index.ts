// RFC 7143 as pure functions and values: bytes in, values out. No sockets, no timers, and nothing of SCSI.

export * from './pdu/index.js'
export { Opcode, RESERVED_TAG, opcodeName } from './opcodes.js'
export {
  AsyncEvent, LoginStage, LoginStatus, LogoutReason, LogoutStatus, RejectReason, ServiceResponse, SnackType, TaskAttribute,
  TaskManagementFunction, TaskManagementStatus,
} from './codes.js'
export { AhsType, readAhs } from './ahs.js'
export type { Ahs } from './ahs.js'
export { Framer, padded } from './framer.js'
export type { Digests, FramerFault, FramerLimits, FramerSink } from './framer.js'
export { wholePdu } from './whole-pdu.js'
