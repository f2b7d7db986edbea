// The entry of a session worker that does what `worker-fault.ts` tells it: the real one, and a channel beside it.

import { BroadcastChannel, threadId } from 'node:worker_threads'
import run from '@scsipub/session-worker/main'
import { CANNOT_START, POISON, WORKER_FAULTS, type WorkerFault, type WorkerOrder } from './worker-fault.js'

const GROWN_BYTES = 200 << 20

if (process.env[CANNOT_START] !== undefined) throw new Error('told not to start')

const channel = new BroadcastChannel(WORKER_FAULTS)
channel.onmessage = (event: unknown) => {
  const order = (event as { data: WorkerOrder }).data
  if (order.threadId === threadId) setImmediate(() => act(order.fault, order.ms ?? 0))
}
channel.unref()

const grown: Buffer[] = []

function act(fault: WorkerFault, ms: number): void {
  if (fault === 'grows') {
    grown.push(Buffer.alloc(GROWN_BYTES))
    return
  }
  if (fault === 'throws') throw new Error('a fault of the worker')
  if (fault === 'spins') for (;;);
  if (fault === 'stops') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
  const kept: number[][] = []
  while (fault === 'heap') kept.push(Array.from({ length: 100_000 }, () => Math.random()))
}

// A ping is answered with a copy of its data.
const { copy } = Buffer.prototype
Buffer.prototype.copy = function (this: Buffer, ...rest: Parameters<typeof copy>) {
  if (this.length === POISON.throws.length && this.equals(POISON.throws)) throw new Error('poison')
  if (this.length === POISON.spins.length && this.equals(POISON.spins)) for (;;);
  return copy.apply(this, rest)
} as typeof copy

// biome-ignore lint/style/noDefaultExport: Piscina calls a module's default export
export default run
