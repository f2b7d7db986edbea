/**
 * The storage engine's thread: `new Worker(main.js, { workerData: { dataDir, logLevel } })`. A data directory that cannot be
 * used ends it with one line; the parent gets it as the worker's 'error' event.
 */
import { isMainThread, parentPort, workerData } from 'node:worker_threads'
import { logFormat } from '@scsipub/contract'
import { pino } from 'pino'
import { serveSupervisor, WorkerPorts } from './engine-ports.js'
import { StorageEngine } from './storage-engine.js'

/** What the parent gives the thread. */
export interface StorageEngineData {
  dataDir: string
  logLevel: string
}

if (isMainThread || !parentPort) throw new Error('the storage engine is started as a worker thread by the supervisor')
const port = parentPort
const { dataDir, logLevel } = workerData as StorageEngineData
const log = pino({ ...logFormat, level: logLevel, name: 'storage-engine' }, pino.destination({ dest: 1, sync: true }))
const workers = new WorkerPorts()
const engine = new StorageEngine({
  dataDir,
  notify: notice => workers.notify(notice),
  replaced: descriptor => workers.replaced(descriptor),
})
log.info({ event: 'engine.ready', dataDir })
serveSupervisor(port, { engine, workers, log }, () => port.close())
