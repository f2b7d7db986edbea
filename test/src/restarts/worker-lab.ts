// A server in this process, whose session workers can be ended in all the ways in which a thread ends, and what the tests of that ask of it.

import { readdirSync, readlinkSync } from 'node:fs'
import { BroadcastChannel, type Worker } from 'node:worker_threads'
import type { ServerLimits } from '@scsipub/supervisor'
import type { Test } from 'tap'
import { type EmbeddedServer, withEmbeddedServer } from '../harness/embedded-server.js'
import { takeInWhatIsThere, until } from '../protocol/lab.js'
import { WORKER_FAULTS, type WorkerAnswer, type WorkerFault, type WorkerOrder } from './worker-fault.js'

/** One that spins where others want the processor too has not much of it, and is given a minute then. */
const DEAD_MS = 180_000

export interface WorkerLab extends EmbeddedServer {
  /** Has a worker do that; resolves when it is about to. */
  cause(threadId: number, fault: WorkerFault | 'terminated'): Promise<void>
  /** Lets one go on that stops. */
  release(): void
  /** Waits until the supervisor knows how the sessions are, as far as their workers have heard of it by now. */
  untilTold(): Promise<void>
  /** Waits until the worker is dead and its sessions have gone on or ended. */
  untilBuried(threadId: number): Promise<void>
  /** Waits until the log has that event. */
  untilLogged(event: string): Promise<void>
  /** Waits until so many sessions are there. */
  untilSessions(wanted: number): Promise<void>
  /** How often the log has that event. */
  count(event: string): number
}

interface LabOptions {
  readonly targets?: readonly object[]
  readonly workers?: number
  readonly limits?: Partial<ServerLimits>
  /** Further keys of the configuration, as environment variables. */
  readonly env?: Readonly<Record<string, string>>
  /** The server ends by itself, for that reason. */
  readonly fails?: RegExp
}

export const TARGETS = [
  { name: 'shared', auth: 'none', luns: [{ sizeBytes: 16 << 20 }, { sizeBytes: 16 << 20 }] },
  { name: 'reserved', auth: 'none', luns: [{ sizeBytes: 4 << 20 }, { sizeBytes: 4 << 20 }] },
]

/** Starts a server and gives it to `use`; its log may tell of workers that died, and of no other error. */
export async function withWorkerLab(
  t: Test,
  { targets = TARGETS, workers = 2, limits, env, fails }: LabOptions,
  use: (lab: WorkerLab) => Promise<void>,
): Promise<void> {
  const threads = new Map<number, Worker>()
  const created = (worker: Worker) => void threads.set(worker.threadId, worker)
  process.on('worker', created)
  const channel = new BroadcastChannel(WORKER_FAULTS)
  const gate = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)
  const answers: WorkerAnswer[] = []
  channel.onmessage = (event: unknown) => void answers.push((event as { data: WorkerAnswer }).data)
  const options = {
    targets,
    workers,
    workerEntry: new URL('./faulty-worker.js', import.meta.url),
    expected: /^(worker\.(died|failed|rests)|session\.failed)$/,
    ...(limits && { limits }),
    ...(env && { env }),
    ...(fails && { fails }),
  }
  try {
    await withEmbeddedServer(t, options, async server => {
      const count = (event: string) => server.log.filter(line => line.event === event).length
      const lab: Omit<WorkerLab, keyof EmbeddedServer> = {
        count,
        untilSessions: wanted => {
          const sessions = () => server.workers.threadIds.flatMap(id => server.workers.sessionsOn(id)).length
          return until(`there are ${wanted} sessions`, () => sessions() === wanted)
        },
        untilLogged: event => until(`the log has ${event}`, () => count(event) > 0),
        cause: async (threadId, fault) => {
          if (fault === 'terminated') return void threads.get(threadId)!.terminate()
          const before = answers.length
          channel.postMessage({ threadId, fault, gate } satisfies WorkerOrder)
          const isIt = (answer: WorkerAnswer) => answer.from === threadId && answer.fault === fault
          await until(`worker ${threadId} ${fault}`, () => answers.slice(before).some(isIt))
        },
        release: () => {
          Atomics.store(new Int32Array(gate), 0, 1)
          Atomics.notify(new Int32Array(gate), 0)
        },
        untilTold: async () => {
          await Promise.all(server.workers.threadIds.map(threadId => lab.cause(threadId, 'tells')))
          await takeInWhatIsThere()
        },
        untilBuried: async threadId => {
          const died = () => server.log.some(line => line.event === 'worker.died' && line['threadId'] === threadId)
          await until('the worker is dead', died, { deadlineMs: DEAD_MS })
          const full = () => server.workers.threadIds.length === workers
          await until('another worker is there', full)
        },
      }
      await use(Object.assign(Object.create(server) as EmbeddedServer, lab))
    })
  } finally {
    channel.close()
    process.off('worker', created)
  }
}

/** Sockets and files of the data directory that this process has open; not what its threads have for themselves, which come and go. */
export function openFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap(fd => {
    try {
      const file = readlinkSync(`/proc/self/fd/${fd}`)
      return /^socket:|\/(volumes|ephemeral|tokens)\//.test(file) ? [file] : []
    } catch {
      return [] // the one of the list itself
    }
  })
}
