// What `slow-leaver.ts`, `slow-teller.ts` and their test have in common.

/** Name of the channel by which a worker says that it has let go of a session. */
export const LEFT = 'a session has left'

/** The same of an engine that has told the first worker of a unit attention, and not the second one. */
export const TOLD = 'one worker has been told'
