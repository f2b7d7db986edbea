// The storage engine as it ships, in a thread that ends as threads of ours might, when a test says so.

import { BroadcastChannel } from 'node:worker_threads'
import { countSteps } from './engine-steps.js'
import { FAULTS, type Fault } from './fault.js'

const channel = new BroadcastChannel(FAULTS)
channel.unref()
channel.onmessage = event => {
  const { data } = event as { data: Fault }
  if (data === 'throw') throw new Error('thrown on purpose')
  if (data === 'spin') for (;;);
  const kept: unknown[] = []
  for (;;) kept.push(new Array(1_000_000).fill(kept.length))
}

countSteps()
await import('@scsipub/storage-engine/main')
