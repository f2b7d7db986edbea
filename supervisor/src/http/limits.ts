/**
 * What a stranger may cost. Every number here is on purpose; the listener is meant to stand behind a proxy, but does not rely on it.
 */

/** A session with 256 LUNs, all spelled out, takes less than half of it. */
export const MAX_BODY_BYTES = 65_536
/** Request line and header fields together. */
export const MAX_HEADER_BYTES = 8_192
/** From the first byte of a request to its last. */
export const REQUEST_TIMEOUT_MS = 10_000
export const HEADERS_TIMEOUT_MS = 5_000
/** How often the two above are looked at, and therefore how much later they may strike. */
export const TIMEOUT_CHECK_MS = 1_000
/** A connection without a request. */
export const KEEP_ALIVE_MS = 5_000
/** Beyond it connections are closed at once; descriptors are for disks. */
export const MAX_CONNECTIONS = 512
/** Longer parts of a path name nothing. */
export const MAX_PARAM_LENGTH = 100
/** Faults that are told of one request. */
export const MAX_ERRORS = 32
