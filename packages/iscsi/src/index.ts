// RFC 7143 as pure functions and values: bytes in, values out. No sockets, no timers, and nothing of SCSI.

export type { Ahs } from './ahs.js'
export { AhsType, readAhs } from './ahs.js'
export type { ChapAlgorithm } from './chap/algorithms.js'
export { CHAP_ALGORITHMS, chapResponse } from './chap/algorithms.js'
export type { ChapProof, ChapProven } from './chap/chap.js'
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
export type { FullFeatureText } from './full-feature-text.js'
export { answerText } from './full-feature-text.js'
export type { Identity } from './identity.js'
export { MAX_NAME_BYTES, normalizeName } from './iscsi-name.js'
export type { Key, KeyName, Rule } from './keys.js'
export { findKey, KEYS } from './keys.js'
export type { Login } from './login.js'
export { createLogin } from './login.js'
export type { LoginRefusal } from './login-refusal.js'
export type { LoginStep, Refused } from './login-step.js'
export { Opcode, opcodeName, RESERVED_TAG } from './opcodes.js'
export * from './pdu/index.js'
export type { LoginAuth } from './security.js'
export type { DiscoveredTarget, SendTargetsRequest } from './send-targets.js'
export { encodeTargets, parseSendTargets } from './send-targets.js'
export type { SessionParameters } from './session-parameters.js'
export { connectionParameters } from './session-parameters.js'
export type { TargetOffer } from './target-offer.js'
export { DEFAULT_OFFER } from './target-offer.js'
export type { TextFault, TextLimits, TextPair } from './text.js'
export { encodeText, parseText, REQUEST_LIMITS, valueLimit } from './text.js'
export { TextAssembler, TextPages } from './text-pieces.js'
export { wholePdu } from './whole-pdu.js'
