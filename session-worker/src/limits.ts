/** What is offered in a login, and how much is taken of whoever has not logged in. */
import { DEFAULT_OFFER, type TargetOffer } from '@scsipub/iscsi'

/** Longest additional headers taken, in bytes: a 260-byte CDB and a bidirectional read length [7143 §11.2.2]. */
export const MAX_AHS_BYTES = 264
/** Longest data segment before the login is over [7143 §13.12]. */
export const LOGIN_SEGMENT_BYTES = 8192
/** The most that is handed back with a connection, in bytes: initiators wait for the answer to a login request. */
export const MAX_HANDED_BACK_BYTES = 64 << 10

/** Connections of one session [7143 §13.2]. */
const MAX_CONNECTIONS = 4

/** Bursts of 1 MiB keep the memory for solicited data small and cost nothing; nothing is kept of a connection that is lost. */
export const offer: TargetOffer = {
  ...DEFAULT_OFFER,
  maxBurstLength: 1 << 20,
  maxConnections: MAX_CONNECTIONS,
  defaultTime2Retain: 0,
}
