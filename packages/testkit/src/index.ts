// An initiator for tests, which can also misbehave. Development only: nothing that ships may import it.

export { cdb } from './cdb.js'
export type { BinaryForm, ChapChallenge, ChapOptions } from './chap.js'
export { askChallenge, authenticate, encodeBinary, proofKeys, readChallenge, respond } from './chap.js'
export type { CommandPdu, WriteOptions } from './command-options.js'
export type { CommandResult } from './command-result.js'
export { freePort } from './free-port.js'
export { Initiator } from './initiator.js'
export type { Agreed, LoggedIn, LoginOptions } from './login.js'
export { INITIATOR_NAME, identityKeys, LoginRefused, login } from './login.js'
export type { LoginAnswer } from './login-talk.js'
export { LoginTalk, randomIsid, transit } from './login-talk.js'
export type { FullStatus, PrOutFields } from './persistent-reserve.js'
export {
  persistentReserveIn,
  persistentReserveOut,
  prOut,
  prOutList,
  readFullStatus,
  readKeys,
  readReservation,
  transportId,
} from './persistent-reserve.js'
export { overwriteList, provisioningCdb, sanitizeAction, unmapList } from './provisioning-cdb.js'
export type { ReceivedPdu } from './received-pdu.js'
export { decodeAs } from './received-pdu.js'
export { type RedisOptions, RedisServer } from './redis-server.js'
export { testFolder } from './test-folder.js'
export type { TextKeys, TextPairs } from './text-keys.js'
export { decodeKeys, decodePairs, encodeKeys } from './text-keys.js'
export type { CopySegment, TokenInformation, TokenRange } from './third-party-copy.js'
export {
  copyCdb,
  copyList,
  naaDesignation,
  populateList,
  tokenInformation,
  writeUsingList,
  ZERO_TOKEN,
} from './third-party-copy.js'
export type { Ending, PortalAddress } from './wire.js'
export { Wire } from './wire.js'
export type { DataOutFields, WriteShare } from './write-transfer.js'
