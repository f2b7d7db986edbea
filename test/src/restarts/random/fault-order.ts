// What a run says to a server process that has `fault-threads.ts` in it, and what comes back.

/** Folder of the sockets on which orders are taken, one for each process. */
export const ORDERS_VARIABLE = 'RESTARTS_TEST_ORDERS'

export type ThreadRole = 'session-worker' | 'storage-engine'
/** How a thread ends: an exception that nobody catches, no memory left, an event loop that does not turn any more. */
export type ThreadFault = 'throw' | 'heap' | 'spin'

/** A thread of that role, the `index`th modulo how many there are, ends like this; or what the main thread has is counted. */
export type Order =
  | { readonly kind: 'end'; readonly role: ThreadRole; readonly index: number; readonly fault: ThreadFault }
  | { readonly kind: 'count' }

/** Resources of the main thread that keep its event loop alive, by their kind. */
export type Counts = Readonly<Record<string, number>>

/** One a line, as JSON. */
export type OrderAnswer = { readonly counts?: Counts; readonly threadId?: number }

export function socketOf(folder: string, pid: number): string {
  return `${folder}/${pid}.sock`
}
