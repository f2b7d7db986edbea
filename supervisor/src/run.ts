/** Runs the server from a configuration to its exit code: the lifecycle machine, with the server's parts and signals tied to it. */
import { createActor, fromPromise, waitFor } from 'xstate'
import { announce } from './banner.js'
import { Server } from './server.js'
import { DEFAULT_LIMITS, type ServerOptions } from './server-options.js'
import { supervisorMachine } from './supervisor.machine.js'
import { ServiceManager } from './systemd/service-manager.js'
import { Watchdog, watchdogPeriodMs } from './systemd/watchdog.js'
import { FORMAT } from './upgrade/estate.js'
import { addressesOf, termsOf } from './upgrade/succession.js'
import { Upgrade, type UpgradeLimits } from './upgrade/upgrade.js'

/** For sessions that have ended in time to say so. */
const ANSWER_MS = 2_000

export interface RunOptions extends Omit<ServerOptions, 'onFailure' | 'onStopRequest' | 'upgrade'> {
  /** Source of SIGTERM, SIGINT, SIGHUP and SIGUSR2: the process. */
  readonly signals: Pick<NodeJS.EventEmitter, 'on' | 'off'>
  /** Where plain text for a person goes; undefined when nobody sits there. */
  readonly terminal?: ((text: string) => void) | undefined
  /** Told the one line that says why a start failed. */
  readonly complain: (line: string) => void
  /** That of the process, for what the service manager says by it; empty unless told. */
  readonly env?: NodeJS.ProcessEnv
  /** By which an upgrade starts the next process. */
  readonly command: readonly [program: string, ...args: string[]]
  readonly version: string
  readonly upgradeLimits?: Partial<UpgradeLimits>
}

/** Serves until told to stop; the value is the exit code, 0 or 1. */
export async function run(options: RunOptions): Promise<number> {
  const { config, log, signals, succession, env = {} } = options
  const manager = new ServiceManager(env, log)
  const watchdogMs = watchdogPeriodMs(env)
  let server: Server | undefined
  let watchdog: Watchdog | undefined
  const upgrade = new Upgrade({
    command: options.command,
    terms: { kind: 'terms', format: FORMAT, terms: termsOf(config), listen: addressesOf(config) },
    version: options.version,
    log,
    limits: options.upgradeLimits,
    send: event => actor.send(event),
    rest: () => (server ? server.rest() : Promise.reject(new Error('the server is not up'))),
  })
  const startParts = async () => {
    server = await Server.start({
      ...options,
      upgrade: () => upgrade.request(),
      onFailure: why => actor.send({ type: 'part.failed', why }),
      onStopRequest: why => actor.send({ type: 'stop.requested', why }),
    })
    manager.ready(`serving ${server.targetCount} targets on ${server.address}`)
    succession?.serving()
    const well = () => server?.isWell() ?? Promise.resolve(false)
    if (watchdogMs !== undefined) watchdog = new Watchdog(watchdogMs, { isWell: well, alive: () => manager.alive() })
  }
  const actor = createActor(
    supervisorMachine.provide({
      actors: {
        startParts: fromPromise(startParts),
        drainSessions: fromPromise(async () => server?.drainSessions()),
        closeParts: fromPromise(async () => server?.close()),
        prepareHeir: fromPromise(({ signal }) => upgrade.prepare(signal)),
        handOver: fromPromise(() => upgrade.handOver()),
        leave: fromPromise(async () => {
          upgrade.left()
          await server?.leave()
        }),
      },
      actions: {
        announce: () => {
          if (!server) return
          const { address: iscsi, httpAddress: http, targetCount: targets } = server
          announce({ config, iscsi, http, targets }, log, options.terminal)
        },
        stopAccepting: () => {
          manager.stopping('ending sessions')
          server?.stopAccepting()
        },
        cutSessions: () => server?.cutSessions(),
        reloadCatalog: () => server?.reloadCatalog(),
        logStop: ({ event }) =>
          log.info({
            event: 'server.draining',
            sessions: server?.sessionCount,
            why: 'why' in event ? event.why : undefined,
          }),
        logFailure: ({ context }) => {
          if (server) log.fatal({ event: 'server.failed', why: context.failure })
          options.complain(context.failure ?? 'unknown failure')
        },
        upgradeFailed: (_, { error }) => upgrade.failed(error),
        passStopOn: () => upgrade.passStopOn(),
        refuseUpgrade: ({ event }, why) => {
          if (event.type === 'upgrade.requested') event.refuse(why)
        },
      },
      delays: { drainLimit: (options.limits?.drainMs ?? DEFAULT_LIMITS.drainMs) + ANSWER_MS },
      guards: { mayLeave: () => succession !== undefined && !succession.begun },
    }),
  )
  const stop = (why: string) => () => actor.send({ type: 'stop.requested', why })
  const handlers = {
    SIGTERM: stop('SIGTERM'),
    SIGINT: stop('SIGINT'),
    SIGHUP: () => actor.send({ type: 'reload.requested' }),
    SIGUSR2: () => void upgrade.request().catch(() => {}), // whoever wants to know looks into the log
  }
  for (const [signal, handler] of Object.entries(handlers)) signals.on(signal, handler)
  actor.start()
  const end = await waitFor(actor, snapshot => snapshot.status === 'done')
  for (const [signal, handler] of Object.entries(handlers)) signals.off(signal, handler)
  watchdog?.close()
  if (end.value === 'stopped') log.info({ event: 'server.stopped' })
  return end.value === 'failed' ? 1 : 0
}
