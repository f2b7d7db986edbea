/**
 * What a process does that is started as the server, by its arguments and its environment. The other services are found by name and started as threads; nothing of
 * them is imported.
 */
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { ConfigError, loadConfig } from '@scsipub/config'
import { readArguments, USAGE } from './arguments.js'
import { createLog } from './log.js'
import { run } from './run.js'
import type { ServerLimits } from './server-options.js'
import { activatedSockets } from './systemd/activation.js'
import { Succession } from './upgrade/succession.js'

const require = createRequire(import.meta.url)
const { resolve } = require
const { version } = require('../package.json') as { version: string }

/** Serves, and ends the process: 0 stopped as asked, 1 could not start or go on, 2 wrong arguments or configuration. */
export async function command(args: readonly string[], limits?: Partial<ServerLimits>): Promise<never> {
  try {
    process.exit(await serve(args, limits))
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    for (const line of error.message.split('\n')) complain(line)
    process.exit(2)
  }
}

async function serve(args: readonly string[], limits: Partial<ServerLimits> | undefined): Promise<number> {
  const chosen = readArguments(args)
  if (chosen.kind === 'help') {
    process.stdout.write(USAGE)
    return 0
  }
  if (chosen.kind === 'wrong') {
    complain(`${chosen.why}\n\n${USAGE}`)
    return 2
  }
  const sockets = activatedSockets(process.env)
  const succession = Succession.of(process.env, version)
  const config = loadConfig({ ...(chosen.config === undefined ? {} : { path: chosen.config }), env: process.env })
  const log = createLog(config.log.level)
  process.on('uncaughtException', error => {
    log.fatal({ event: 'server.failed', why: error.stack ?? String(error) })
    process.exit(1)
  })
  // Between the end of the server and that of the process nobody else takes them, and they would be the exit code.
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => {})
  return run({
    config,
    log,
    engineEntry: pathToFileURL(resolve('@scsipub/storage-engine/main')),
    workerEntry: pathToFileURL(resolve('@scsipub/session-worker/main')),
    signals: process,
    sockets,
    succession,
    env: process.env,
    command: [process.execPath, ...process.execArgv, ...process.argv.slice(1)],
    version,
    terminal: process.stdout.isTTY ? text => process.stdout.write(text) : undefined,
    complain,
    ...(limits && { limits }),
  })
}

function complain(line: string): void {
  process.stderr.write(`scsipub: ${line}\n`)
}
