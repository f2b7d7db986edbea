/** Entry of a session worker thread: Piscina imports it once a thread and calls its default export once a connection. */
import { workerData } from 'node:worker_threads'
import {
  type ConnectionEnd,
  type ConnectionTask,
  compileSchema,
  connectionTaskSchema,
  faults,
  type SessionWorkerData,
} from '@scsipub/contract'
import { SessionWorker } from './worker.js'

const isConnectionTask = compileSchema<ConnectionTask>(connectionTaskSchema)
const worker = new SessionWorker(workerData as SessionWorkerData)

/** Runs one accepted connection to its end. */
// biome-ignore lint/style/noDefaultExport: Piscina calls a module's default export
export default function run(task: unknown): Promise<ConnectionEnd> {
  if (!isConnectionTask(task)) throw new Error(`connection task does not fit the contract: ${faults(isConnectionTask)}`)
  return worker.run(task)
}
