/** Entry of a session worker thread: Piscina imports it once a thread and calls its default export once a session. */
import { workerData } from 'node:worker_threads'
import {
  compileSchema,
  faults,
  type SessionEnd,
  type SessionTask,
  type SessionWorkerData,
  sessionTaskSchema,
} from '@scsipub/contract'
import { SessionWorker } from './worker.js'

const isSessionTask = compileSchema<SessionTask>(sessionTaskSchema)
const worker = new SessionWorker(workerData as SessionWorkerData)

/** Runs the session of one accepted connection to its end. */
// biome-ignore lint/style/noDefaultExport: Piscina calls a module's default export
export default function run(task: unknown): Promise<SessionEnd> {
  if (!isSessionTask(task)) throw new Error(`session task does not fit the contract: ${faults(isSessionTask)}`)
  return worker.run(task)
}
