// What a test says to a thread of the storage engine that ends on demand (faulty-engine.ts).

/** How the thread ends: an exception that nobody catches, no memory left, an event loop that does not turn any more. */
export type Fault = 'throw' | 'heap' | 'spin'

/** The channel. All engines of the process listen; there is one at a time. */
export const FAULTS = `engine-faults-${process.pid}`
