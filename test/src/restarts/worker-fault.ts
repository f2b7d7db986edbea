// What a session worker can be made to do, and how it is told: by a channel that all threads of the process hear.

export const WORKER_FAULTS = 'faults of session workers'

/**
 *   throws      an error that nobody catches, outside of any session
 *   heap        the heap is filled until there is none left
 *   spins       nothing comes back to the event loop
 *   grows       it has 200 MiB more from now on
 *   stops       as spins, but without using the processor, until the test lets it go on: as in a call of the kernel that does not return
 *   tells       nothing; it answers once it has told the supervisor all that it had to tell of its sessions
 */
export type WorkerFault = 'throws' | 'heap' | 'spins' | 'grows' | 'stops' | 'tells'

/** `threadId`: of the worker that is meant. */
export interface WorkerOrder {
  readonly threadId: number
  readonly fault: WorkerFault
  /** One that stops waits until this is no more 0. */
  readonly gate: SharedArrayBuffer
}

/** What the worker says when it is about to do what it was told; of one that tells, when it has. */
export interface WorkerAnswer {
  readonly from: number
  readonly fault: WorkerFault
}

/** Data of a NOP-Out: whoever copies it into its answer throws, or spins. */
export const POISON = { throws: Buffer.from('poison that throws'), spins: Buffer.from('poison that spins') } as const

/** While this is in the environment no worker can start. */
export const CANNOT_START = 'SCSIPUB_TEST_WORKER_CANNOT_START'
