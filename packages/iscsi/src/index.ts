// RFC 7143 as pure functions and values: bytes in, values out. No sockets, no timers, and nothing of SCSI.

export type { Ahs } from './ahs.js'
export { AhsType, readAhs } from './ahs.js'
export {
  AsyncEvent,
  LoginStage,
  LoginStatus,
  LogoutReason,
  LogoutStatus,
  RejectReason,
  ServiceResponse,
  SnackType,
  TaskAttribute,
  TaskManagementFunction,
  TaskManagementStatus,
} from './codes.js'
export type { Digests, FramerFault, FramerLimits, FramerSink } from './framer.js'
export { Framer, padded } from './framer.js'
export { Opcode, opcodeName, RESERVED_TAG } from './opcodes.js'
export * from './pdu/index.js'
export { wholePdu } from './whole-pdu.js'
