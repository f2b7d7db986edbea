// The server under test, inside the process of the test: for what an operator asks of it while initiators are logged in. Threads, sockets and files
// are those of the real thing; of the other services, as in `npm start`, only the entries are known.

import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { loadConfig } from '@scsipub/config'
import { createLog, Server, type ServerLimits } from '@scsipub/supervisor'
import type { Test } from 'tap'
import type { LogLine } from './server.js'

export interface EmbeddedServer extends Pick<Server, 'changeDisks' | 'growDisk' | 'restartEngine' | 'workers'> {
  readonly port: number
  /** `http://127.0.0.1:PORT` */
  readonly api: string
  readonly dataDir: string
  readonly log: readonly LogLine[]
}

const { resolve } = createRequire(import.meta.url)
const ERROR = 50

export interface EmbeddedOptions {
  /** As in the configuration. */
  readonly targets: readonly object[]
  readonly workers?: number
  /** Listen on this port of the loopback; a free one unless told. */
  readonly port?: number
  /** What SendTargets tells in place of the address that was connected to. */
  readonly advertise?: string
  /** Where session workers begin; as in `npm start` unless told. */
  readonly workerEntry?: URL
  /** Likewise for the storage engine. */
  readonly engineEntry?: URL
  readonly limits?: Partial<ServerLimits>
  /** Further keys of the configuration, as environment variables. */
  readonly env?: Readonly<Record<string, string>>
  /** Errors that may be logged, by event. */
  readonly expected?: RegExp
  /** The server ends by itself, for that reason. */
  readonly fails?: RegExp
}

/**
 * Starts a server, gives it to `use`, and stops it; asserts a log without errors.
 * @throws Error when it does not start
 */
export async function withEmbeddedServer(
  t: Test,
  {
    targets,
    workers = 2,
    port = 0,
    advertise,
    workerEntry,
    engineEntry,
    limits,
    env,
    expected,
    fails,
  }: EmbeddedOptions,
  use: (server: EmbeddedServer) => Promise<void>,
): Promise<void> {
  const log: LogLine[] = []
  const failures: string[] = []
  const dataDir = t.testdir()
  const server = await Server.start({
    config: loadConfig({
      env: {
        SCSIPUB_DATADIR: dataDir,
        SCSIPUB_LISTEN_ISCSI: `127.0.0.1:${port}`,
        ...(advertise !== undefined && { SCSIPUB_ADVERTISE_ISCSI: advertise }),
        SCSIPUB_LISTEN_HTTP: '127.0.0.1:0',
        SCSIPUB_WORKERS: String(workers),
        SCSIPUB_TARGETS: JSON.stringify(targets),
        SCSIPUB_LOG_LEVEL: 'silent', // of the other threads, which write to standard output
        ...env,
      },
    }),
    log: createLog('debug', { write: line => void log.push(JSON.parse(line) as LogLine) }),
    engineEntry: engineEntry ?? pathToFileURL(resolve('@scsipub/storage-engine/main')),
    workerEntry: workerEntry ?? pathToFileURL(resolve('@scsipub/session-worker/main')),
    ...(limits && { limits }),
    onFailure: why => failures.push(why),
    onStopRequest: why => failures.push(why),
  })
  try {
    await use({
      port: Number(server.address.split(':').at(-1)),
      api: `http://${server.httpAddress}`,
      dataDir,
      log,
      changeDisks: (target, change) => server.changeDisks(target, change),
      growDisk: (target, lun, sizeBytes) => server.growDisk(target, lun, sizeBytes),
      restartEngine: () => server.restartEngine(),
      workers: server.workers,
    })
  } finally {
    server.stopAccepting()
    server.cutSessions()
    await server.drainSessions()
    await server.close()
  }
  const faults = log.filter(({ level }) => Number(level) >= ERROR || level === 'error')
  const unexpected = faults.filter(({ event }) => !expected?.test(String(event)))
  t.same(unexpected, [], 'the server logged no error')
  if (!t.passing())
    t.comment(
      `server log:\n${log
        .slice(-40)
        .map(line => JSON.stringify(line))
        .join('\n')}`,
    )
  if (fails) t.match(failures, [fails], 'it ended by itself')
  else t.same(failures, [], 'it did not end by itself')
}
