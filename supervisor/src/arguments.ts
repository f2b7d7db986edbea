/** The command line of `npm start`: `[--config FILE] [--help]`. */
import { parseArgs } from 'node:util'

export const USAGE = `Usage: npm start [-- --config FILE]

Serves iSCSI targets until it is told to stop.

  --config FILE   configuration, JSON; every key is optional (see README.md)
  --help          this text

An environment variable SCSIPUB_<PATH> overrides a key: SCSIPUB_LISTEN_ISCSI=127.0.0.1:3260
SIGTERM ends sessions and stops; SIGHUP reads the catalog again; SIGUSR2 upgrades in place.
`

export type Arguments =
  | { readonly kind: 'serve'; readonly config?: string }
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly why: string }

/** Reads the arguments that follow the script's name. */
export function readArguments(args: readonly string[]): Arguments {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { config: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
    })
    if (values.help) return { kind: 'help' }
    return values.config === undefined ? { kind: 'serve' } : { kind: 'serve', config: values.config }
  } catch (error) {
    return { kind: 'wrong', why: (error as Error).message }
  }
}
