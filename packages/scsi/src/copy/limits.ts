// What the copy manager of a logical unit takes at most. Commands refuse more; RECEIVE COPY OPERATING PARAMETERS and the
// Third-Party Copy VPD page report the same numbers [SPC-4 §6.20, §7.8.17; SBC-3 §6.6.6].

/** CSCD (target) descriptors of 32 bytes, and segment descriptors of 28, in one EXTENDED COPY. */
export const MAX_CSCD_DESCRIPTORS = 64
export const MAX_SEGMENT_DESCRIPTORS = 64
/** Both lists together, in bytes: room for either to be one too many, but not for both. */
export const MAX_DESCRIPTOR_LIST_BYTES = MAX_CSCD_DESCRIPTORS * 32 + MAX_SEGMENT_DESCRIPTORS * 28
/** Copies of one session at a time; a further one gets BUSY. */
export const MAX_CONCURRENT_COPIES = 16
/** Block device range descriptors in one POPULATE TOKEN or WRITE USING TOKEN. */
export const MAX_RANGE_DESCRIPTORS = 64
/** Most that one token may stand for, and most that one WRITE USING TOKEN may write. */
export const MAX_TOKEN_BYTES = 64 << 20
/** How long a token that nobody uses is kept, unless POPULATE TOKEN asks for less; it cannot ask for more. */
export const TOKEN_INACTIVITY_TIMEOUT_S = 60
