/**
 * The log: JSON on standard output, one line an event, with dotted names. Written synchronously, so that the last line before
 * an end is never lost; only the supervisor's control plane logs here, no data path waits for it.
 *
 * What it says from info on is also told to `events`, whatever the level of the log is.
 */
import { logFormat } from '@scsipub/contract'
import { type DestinationStream, destination, type LogFn, type Logger, pino } from 'pino'
import { type EventLevel, ServerEvents } from './events/server-events.js'

export type Log = Logger & { readonly events: ServerEvents }

const TOLD: readonly EventLevel[] = ['info', 'warn', 'error', 'fatal']

/** Makes the log of the server; `stream` in place of standard output for tests. */
export function createLog(level: string, stream: DestinationStream = destination({ dest: 1, sync: true })): Log {
  const events = new ServerEvents()
  const log = pino({ ...logFormat, level }, stream)
  for (const name of TOLD) log[name] = told(log[name].bind(log), fields => events.take(name, fields))
  return Object.assign(log, { events })
}

/** Logs, and tells. A logger that is not enabled at its level does only the latter. */
function told(write: LogFn, tell: (fields: unknown) => void): LogFn {
  return ((...line: Parameters<LogFn>) => {
    write(...line)
    tell(line[0])
  }) as LogFn
}

const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu
const MAX_NAME_LENGTH = 223

/** A name from the wire as it may stand in a log: no control or formatting characters, no more than an iSCSI name has. */
export function printable(name: string): string {
  return name.replace(INVISIBLE, '').slice(0, MAX_NAME_LENGTH)
}
