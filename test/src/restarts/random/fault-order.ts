// What a run says to a server process that has `fault-threads.ts` in it, and what comes back.

/** Folder of the sockets on which orders are taken, one for each process. */
export const ORDERS_VARIABLE = 'RESTARTS_TEST_ORDERS'

export type ThreadRole = 'session-worker' | 'storage-engine'
/** How a thread ends: an exception that nobody catches, no memory left, an event loop that does not turn any more. */
export type ThreadFault = 'throw' | 'heap' | 'spin'

/**
 * A thread of that role, the `index`th modulo how many there are, ends like this; or what all threads have is counted, so many beside the main thread; or so many threads have told the
 * main thread all that they had to tell of their sessions.
 */
export type Order =
  | { readonly kind: 'end'; readonly role: ThreadRole; readonly index: number; readonly fault: ThreadFault }
  | { readonly kind: 'count'; readonly threads: number }
  | { readonly kind: 'tell'; readonly threads: number }

/** What one thread has. `heapBytes`: after a garbage collection, of the main thread alone. */
export interface ThreadCount {
  readonly role: ThreadRole | 'supervisor'
  readonly timers: number
  readonly messagePorts: number
  readonly heapBytes: number
}

/** One a line, as JSON. `ports`: the peers' ports of the connections that the thread had when it ended. */
export interface OrderAnswer {
  readonly counts?: readonly ThreadCount[]
  readonly threadId?: number
  readonly ports?: readonly number[]
}

export function socketOf(folder: string, pid: number): string {
  return `${folder}/${pid}.sock`
}
