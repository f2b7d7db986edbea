// The server under test, inside the process of the test: for what an operator asks of it while initiators are logged in. Threads, sockets and files
// are those of the real thing; of the other services, as in `npm start`, only the entries are known.

import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { loadConfig } from '@scsipub/config'
import { createLog, Server } from '@scsipub/supervisor'
import type { Test } from 'tap'
import type { LogLine } from './server.js'

export interface EmbeddedServer extends Pick<Server, 'changeDisks'> {
  readonly port: number
  readonly log: readonly LogLine[]
}

const { resolve } = createRequire(import.meta.url)
const ERROR = 50

/**
 * Starts a server with `targets` and as many workers, gives it to `use`, and stops it; asserts a log without errors.
 * @throws Error when it does not start
 */
export async function withEmbeddedServer(
  t: Test,
  { targets, workers = 2 }: { targets: readonly object[]; workers?: number },
  use: (server: EmbeddedServer) => Promise<void>,
): Promise<void> {
  const log: LogLine[] = []
  const failures: string[] = []
  const server = await Server.start({
    config: loadConfig({
      env: {
        SCSIPUB_DATADIR: t.testdir(),
        SCSIPUB_LISTEN_ISCSI: '127.0.0.1:0',
        SCSIPUB_WORKERS: String(workers),
        SCSIPUB_TARGETS: JSON.stringify(targets),
        SCSIPUB_LOG_LEVEL: 'silent', // of the other threads, which write to standard output
      },
    }),
    log: createLog('debug', { write: line => void log.push(JSON.parse(line) as LogLine) }),
    engineEntry: pathToFileURL(resolve('@scsipub/storage-engine/main')),
    workerEntry: pathToFileURL(resolve('@scsipub/session-worker/main')),
    onFailure: why => failures.push(why),
  })
  try {
    await use({
      port: Number(server.address.split(':').at(-1)),
      log,
      changeDisks: (target, change) => server.changeDisks(target, change),
    })
  } finally {
    server.stopAccepting()
    server.cutSessions()
    await server.drainSessions()
    await server.close()
  }
  const faults = log.filter(({ level }) => Number(level) >= ERROR || level === 'error')
  t.same([...faults, ...failures], [], 'the server logged no error')
}
