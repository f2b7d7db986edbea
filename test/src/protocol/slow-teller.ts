// The entry of a storage engine that stands still in the midst of telling the workers of a unit attention: one of them has heard it, the next one has not.

import { BroadcastChannel, MessagePort } from 'node:worker_threads'
import '@scsipub/storage-engine/main'
import { TOLD } from './slow-leaving.js'

/** Longer than a move takes, and less than one waits for the engine. */
const PAUSE_MS = 100

const channel = new BroadcastChannel(TOLD)
channel.unref()
let isFirst = true

const { postMessage } = MessagePort.prototype
MessagePort.prototype.postMessage = function (this: MessagePort, ...args: Parameters<typeof postMessage>) {
  const { kind } = args[0] as { kind?: string }
  if (kind !== 'unit.attention' || !isFirst) return postMessage.apply(this, args)
  isFirst = false
  postMessage.apply(this, args)
  channel.postMessage(TOLD)
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS)
}
