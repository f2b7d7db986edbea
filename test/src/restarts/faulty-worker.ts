// The entry of a session worker that does what `worker-fault.ts` tells it: the real one, and a channel beside it.

import { BroadcastChannel, threadId } from 'node:worker_threads'
import { CANNOT_START, POISON, WORKER_FAULTS, type WorkerAnswer, type WorkerOrder } from './worker-fault.js'

const GROWN_BYTES = 200 << 20

if (process.env[CANNOT_START] !== undefined) throw new Error('told not to start')

/** Longer than a worker waits before it tells of what has changed: a timer that begins later ends later. */
const TOLD_MS = 250

const channel = new BroadcastChannel(WORKER_FAULTS)
channel.onmessage = (event: unknown) => {
  const order = (event as { data: WorkerOrder }).data
  if (order.threadId === threadId) setImmediate(() => act(order))
}
channel.unref()

const grown: Buffer[] = []

function act({ fault, gate }: WorkerOrder): void {
  const answer = () => channel.postMessage({ from: threadId, fault } satisfies WorkerAnswer)
  if (fault === 'tells') return void setTimeout(answer, TOLD_MS)
  answer()
  if (fault === 'grows') {
    grown.push(Buffer.alloc(GROWN_BYTES))
    return
  }
  if (fault === 'throws') throw new Error('a fault of the worker')
  if (fault === 'spins') for (;;);
  if (fault === 'stops') Atomics.wait(new Int32Array(gate), 0, 0)
  const kept: number[][] = []
  while (fault === 'heap') kept.push(new Array<number>(1_000_000).fill(kept.length))
}

// A ping is answered with a copy of its data.
const { copy } = Buffer.prototype
Buffer.prototype.copy = function (this: Buffer, ...rest: Parameters<typeof copy>) {
  if (this.length === POISON.throws.length && this.equals(POISON.throws)) throw new Error('poison')
  if (this.length === POISON.spins.length && this.equals(POISON.spins)) for (;;);
  return copy.apply(this, rest)
} as typeof copy

// Whoever hears that it is ready may tell it something: it listens before.
const { default: run } = await import('@scsipub/session-worker/main')

// biome-ignore lint/style/noDefaultExport: Piscina calls a module's default export
export default run
