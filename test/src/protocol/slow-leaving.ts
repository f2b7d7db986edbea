// What `slow-leaver.ts` and its test have in common.

/** Name of the channel by which a worker says that it has let go of a session. */
export const LEFT = 'a session has left'
