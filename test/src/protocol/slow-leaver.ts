// The entry of a session worker that stands still when it has let go of a session, before it says so and again after: what the storage engine says meanwhile
// is heard by whoever has the session next before that one comes to it, and waits here beside what the supervisor asks.

import { BroadcastChannel, MessagePort } from 'node:worker_threads'
import run from '@scsipub/session-worker/main'
import { LEFT } from './slow-leaving.js'

const PAUSE_MS = 1000

const channel = new BroadcastChannel(LEFT)
channel.unref()

const { postMessage } = MessagePort.prototype
MessagePort.prototype.postMessage = function (this: MessagePort, ...args: Parameters<typeof postMessage>) {
  const { result } = args[0] as { result?: object }
  if (!result || !('record' in result)) return postMessage.apply(this, args)
  channel.postMessage(LEFT)
  standStill()
  postMessage.apply(this, args)
  standStill()
}

function standStill(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS)
}

// biome-ignore lint/style/noDefaultExport: Piscina calls a module's default export
export default run
