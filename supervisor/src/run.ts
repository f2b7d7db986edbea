/** Runs the server from a configuration to its exit code: the lifecycle machine, with the server's parts and signals tied to it. */
import { createActor, fromPromise, waitFor } from 'xstate'
import { announce } from './banner.js'
import { Server, type ServerOptions } from './server.js'
import { supervisorMachine } from './supervisor.machine.js'

export interface RunOptions extends Omit<ServerOptions, 'onFailure' | 'onStopRequest'> {
  /** Source of SIGTERM, SIGINT and SIGHUP: the process. */
  readonly signals: Pick<NodeJS.EventEmitter, 'on' | 'off'>
  /** Where plain text for a person goes; undefined when nobody sits there. */
  readonly terminal?: ((text: string) => void) | undefined
  /** Told the one line that says why a start failed. */
  readonly complain: (line: string) => void
}

/** Serves until told to stop; the value is the exit code, 0 or 1. */
export async function run(options: RunOptions): Promise<number> {
  const { config, log, signals } = options
  let server: Server | undefined
  const actor = createActor(
    supervisorMachine.provide({
      actors: {
        startParts: fromPromise(async () => {
          server = await Server.start({
            ...options,
            onFailure: why => actor.send({ type: 'part.failed', why }),
            onStopRequest: why => actor.send({ type: 'stop.requested', why }),
          })
        }),
        drainSessions: fromPromise(async () => server?.drainSessions()),
        closeParts: fromPromise(async () => server?.close()),
      },
      actions: {
        announce: () => {
          if (!server) return
          const { address: iscsi, httpAddress: http, targetCount: targets } = server
          announce({ config, iscsi, http, targets }, log, options.terminal)
        },
        stopAccepting: () => server?.stopAccepting(),
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
      },
    }),
  )
  const stop = (why: string) => () => actor.send({ type: 'stop.requested', why })
  const handlers = {
    SIGTERM: stop('SIGTERM'),
    SIGINT: stop('SIGINT'),
    SIGHUP: () => actor.send({ type: 'reload.requested' }),
  }
  for (const [signal, handler] of Object.entries(handlers)) signals.on(signal, handler)
  actor.start()
  const end = await waitFor(actor, snapshot => snapshot.status === 'done')
  for (const [signal, handler] of Object.entries(handlers)) signals.off(signal, handler)
  if (end.value === 'stopped') log.info({ event: 'server.stopped' })
  return end.value === 'stopped' ? 0 : 1
}
