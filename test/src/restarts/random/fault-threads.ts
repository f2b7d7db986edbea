// Goes before everything else into each thread of a server under test (`node --import`), the server being the one that ships: has a thread end on demand, as threads of ours
// might, and counts what each of them has. Asked by a socket with the process's id in its name, since an upgrade makes another process.

import { createServer, Socket } from 'node:net'
import { setImmediate as turnOfLoop } from 'node:timers/promises'
import { queryObjects, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { BroadcastChannel, isMainThread, MessagePort, threadId } from 'node:worker_threads'
import {
  ORDERS_VARIABLE,
  type Order,
  type OrderAnswer,
  socketOf,
  type ThreadCount,
  type ThreadFault,
  type ThreadRole,
} from './fault-order.js'

const CHANNEL = `thread-faults-${process.pid}`

type Said =
  | { readonly kind: 'here'; readonly threadId: number; readonly role: ThreadRole }
  | { readonly kind: 'who' }
  | { readonly kind: 'count' }
  | { readonly kind: 'counted'; readonly count: ThreadCount }
  | { readonly kind: 'tell' }
  | { readonly kind: 'told' }
  | { readonly kind: 'end'; readonly threadId: number; readonly fault: ThreadFault }
  | { readonly kind: 'ends'; readonly threadId: number; readonly ports: readonly number[] }

/** Long enough for threads that are well to answer; on a machine that is slow the first one may take longer. */
const ROLL_CALL_MS = 200
const FIRST_MS = 10_000
const COUNT_MS = 30_000
/** Longer than a thread waits before it tells of what has changed: a timer that begins later ends later. */
const TOLD_MS = 250
/** A thread that has not said by then that it ends has ended otherwise. */
const ENDS_MS = 10_000

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
  const server = createServer(socket => {
    socket.once('data', data => {
      void carryOut(JSON.parse(String(data)) as Order).then(answer => socket.end(JSON.stringify(answer)))
    })
    socket.on('error', () => socket.destroy())
  })
  server.listen(socketOf(folder, process.pid)).unref()
}

/** What other threads say after `said`, for so long or until `enough`. */
function ask(said: Said, ms: number, enough: (answer: Said) => boolean = () => false): Promise<Said[]> {
  return new Promise(resolve => {
    const channel = new BroadcastChannel(CHANNEL)
    const answers: Said[] = []
    const over = () => {
      clearTimeout(timer)
      channel.close()
      resolve(answers)
    }
    const timer = setTimeout(over, ms)
    channel.onmessage = event => {
      const { data } = event as { data: Said }
      answers.push(data)
      if (enough(data)) over()
    }
    channel.postMessage(said)
  })
}

/** Who is there; at least one of that role, if one says so in time. */
async function rollCall(role: ThreadRole): Promise<Said[]> {
  const isOne = (said: Said) => said.kind === 'here' && said.role === role
  const soon = await ask({ kind: 'who' }, ROLL_CALL_MS)
  return soon.some(isOne) ? soon : ask({ kind: 'who' }, FIRST_MS, isOne)
}

async function carryOut(order: Order): Promise<OrderAnswer> {
  if (order.kind === 'count') {
    let answers = 0
    const told = await ask({ kind: 'count' }, COUNT_MS, said => said.kind === 'counted' && ++answers === order.threads)
    return { counts: [countAll(), ...told.flatMap(said => (said.kind === 'counted' ? [said.count] : []))] }
  }
  if (order.kind === 'tell') {
    let answers = 0
    await ask({ kind: 'tell' }, COUNT_MS, said => said.kind === 'told' && ++answers === order.threads)
    // What they had told before may be taken in after it.
    for (let turn = 0; turn < 10; turn++) await turnOfLoop()
    return {}
  }
  const found = (await rollCall(order.role))
    .flatMap(said => (said.kind === 'here' && said.role === order.role ? [said.threadId] : []))
    .toSorted((a, b) => a - b)
  const threadId = found[order.index % Math.max(1, found.length)]
  if (threadId === undefined) return {}
  const isEnd = (said: Said) => said.kind === 'ends' && said.threadId === threadId
  const [end] = (await ask({ kind: 'end', threadId, fault: order.fault }, ENDS_MS, isEnd)).filter(isEnd)
  return end?.kind === 'ends' ? { threadId, ports: end.ports } : {}
}

function obey(role: ThreadRole): void {
  const channel = new BroadcastChannel(CHANNEL)
  channel.unref()
  const say = (said: Said) => channel.postMessage(said)
  channel.onmessage = event => {
    const { data } = event as { data: Said }
    if (data.kind === 'who') say({ kind: 'here', threadId, role })
    else if (data.kind === 'count') say({ kind: 'counted', count: count(role) })
    else if (data.kind === 'tell') setTimeout(() => say({ kind: 'told' }), TOLD_MS)
    else if (data.kind === 'end' && data.threadId === threadId)
      setImmediate(() => {
        say({ kind: 'ends', threadId, ports: peerPorts() })
        end(data.fault)
      })
  }
}

function end(fault: ThreadFault): void {
  if (fault === 'throw') throw new Error('thrown on purpose')
  if (fault === 'spin') for (;;);
  const kept: unknown[] = []
  for (;;) kept.push(new Array(1_000_000).fill(kept.length))
}

/** Of the connections that this thread has. Node tells by no other way which sockets there are. */
function peerPorts(): number[] {
  const { _getActiveHandles: handles } = process as unknown as { _getActiveHandles(): unknown[] }
  return handles().flatMap(handle => (handle instanceof Socket && handle.remotePort ? [handle.remotePort] : []))
}

/** Those that keep its event loop alive: to look at all objects takes so long on a busy machine that the thread would be taken for one that spins. */
function count(role: ThreadRole): ThreadCount {
  const resources = process.getActiveResourcesInfo()
  const of = (kind: string) => resources.filter(one => one === kind).length
  return { role, timers: of('Timeout'), messagePorts: of('MessagePort'), heapBytes: 0 }
}

/** All of the main thread, after a garbage collection. */
function countAll(): ThreadCount {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  const Timer = setTimeout(() => {}, 0).unref().constructor as new () => unknown
  const of = (kind: new () => unknown) => Number(queryObjects(kind, { format: 'count' }))
  const messagePorts = of(MessagePort as unknown as new () => unknown)
  return { role: 'supervisor', timers: of(Timer), messagePorts, heapBytes: process.memoryUsage().heapUsed }
}
