// Goes before everything else into each thread of a server under test (`node --import`), the server being the one that ships: has a thread end on demand, as threads of ours
// might, and counts what the main thread has. Asked by a socket with the process's id in its name, since an upgrade makes another process.

import { createServer } from 'node:net'
import { BroadcastChannel, isMainThread, threadId } from 'node:worker_threads'
import {
  ORDERS_VARIABLE,
  type Order,
  type OrderAnswer,
  socketOf,
  type ThreadFault,
  type ThreadRole,
} from './fault-order.js'

const CHANNEL = `thread-faults-${process.pid}`

type Said =
  | { readonly kind: 'here'; readonly threadId: number; readonly role: ThreadRole }
  | { readonly kind: 'who' }
  | { readonly kind: 'end'; readonly threadId: number; readonly fault: ThreadFault }

/** Long enough for threads that are well to answer. */
const ROLL_CALL_MS = 200

const folder = process.env[ORDERS_VARIABLE]
const role = roleOf(process.argv[1] ?? '')
if (isMainThread && folder !== undefined) takeOrders(folder)
else if (role !== undefined) obey(role)

/** A thread's script stands where that of the process does in the main thread. */
function roleOf(script: string): ThreadRole | undefined {
  if (script.includes('/piscina/')) return 'session-worker'
  return script.includes('/storage-engine/') ? 'storage-engine' : undefined
}

function takeOrders(folder: string): void {
  const channel = new BroadcastChannel(CHANNEL)
  channel.unref()
  const server = createServer(socket => {
    socket.once('data', data => {
      const order = JSON.parse(String(data)) as Order
      const answer = (value: OrderAnswer) => void socket.end(JSON.stringify(value))
      if (order.kind === 'count') return answer({ counts: count() })
      const found: number[] = []
      channel.onmessage = event => {
        const { data } = event as { data: Said }
        if (data.kind === 'here' && data.role === order.role) found.push(data.threadId)
      }
      channel.postMessage({ kind: 'who' } satisfies Said)
      setTimeout(() => {
        const threadId = found.toSorted((a, b) => a - b)[order.index % Math.max(1, found.length)]
        if (threadId === undefined) return answer({})
        channel.postMessage({ kind: 'end', threadId, fault: order.fault } satisfies Said)
        answer({ threadId })
      }, ROLL_CALL_MS)
    })
    socket.on('error', () => socket.destroy())
  })
  server.listen(socketOf(folder, process.pid)).unref()
}

function obey(role: ThreadRole): void {
  const channel = new BroadcastChannel(CHANNEL)
  channel.unref()
  channel.onmessage = event => {
    const { data } = event as { data: Said }
    if (data.kind === 'who') channel.postMessage({ kind: 'here', threadId, role } satisfies Said)
    else if (data.kind === 'end' && data.threadId === threadId) setImmediate(() => end(data.fault))
  }
}

function end(fault: ThreadFault): void {
  if (fault === 'throw') throw new Error('thrown on purpose')
  if (fault === 'spin') for (;;);
  const kept: unknown[] = []
  for (;;) kept.push(new Array(1000).fill(kept.length))
}

function count(): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const kind of process.getActiveResourcesInfo()) counts[kind] = (counts[kind] ?? 0) + 1
  return counts
}
