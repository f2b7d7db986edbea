/**
 * The storage engine's thread: `new Worker(main.js)`, and then a message with `StorageEngineData`, so that a thread can be made ready before it is needed; or with null when it is not. A data
 * directory that cannot be used ends it with one line; the parent gets it as the worker's 'error' event.
 */
import { readlinkSync } from 'node:fs'
import { basename } from 'node:path'
import { isMainThread, type MessagePort, parentPort } from 'node:worker_threads'
import { EngineMemory, type EngineNote, logFormat, type StorageEngineData } from '@scsipub/contract'
import { registerMappings } from '@scsipub/posix'
import { pino } from 'pino'
import { serveSupervisor, WorkerPorts } from './engine-ports.js'
import { StorageEngine } from './storage-engine.js'

/** So often the supervisor sees that the event loop turns. */
const BEAT_MS = 200

if (isMainThread || !parentPort) throw new Error('the storage engine is started as a worker thread by the supervisor')
const port = parentPort
// Whatever comes next is heard, since all is in place when this returns.
port.once('message', (data: StorageEngineData | null) => {
  if (data === null)
    port.close() // it is not needed
  else begin(port, data)
})

function begin(port: MessagePort, { dataDir, logLevel, memory: shared, mappings, taken }: StorageEngineData): void {
  registerMappings(mappings)
  const log = pino({ ...logFormat, level: logLevel, name: 'storage-engine' }, pino.destination({ dest: 1, sync: true }))
  const memory = new EngineMemory(shared)
  const beating = setInterval(() => memory.beat(), BEAT_MS).unref()
  const workers = new WorkerPorts(() => memory.nextNotice())
  const tell = (note: EngineNote): void => port.postMessage(note)
  const engine = new StorageEngine({
    dataDir,
    memory,
    notify: notice => workers.notify(notice),
    replaced: descriptor => workers.replaced(descriptor),
    notes: {
      note: (volumeId, changed) => tell({ kind: 'volume.noted', volumeId, changed }),
      forget: volumeId => tell({ kind: 'volume.forgotten', volumeId }),
    },
    onLoss: (volumeId, error) => log.error({ event: 'volume.lost', volume: volumeId, err: error }),
    ...(taken && { taken }),
  })
  const lockFd = engine.shareLock()
  const taskId = Number(basename(readlinkSync('/proc/thread-self')))
  tell({ kind: 'engine.ready', taskId, ...(lockFd !== undefined && { lockFd }) })
  log.info({ event: 'engine.ready', dataDir, ...(taken && { taken: taken.length }) })
  serveSupervisor(port, { engine, workers, log }, () => {
    clearInterval(beating)
    port.close()
  })
}
