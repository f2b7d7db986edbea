/**
 * The log: JSON on standard output, one line an event, with dotted names. Written synchronously, so that the last line before
 * an end is never lost; only the supervisor's control plane logs here, no data path waits for it.
 */
import { logFormat } from '@scsipub/contract'
import { type DestinationStream, destination, type Logger, pino } from 'pino'

export type Log = Logger

/** Makes the log of the server; `stream` in place of standard output for tests. */
export function createLog(level: string, stream: DestinationStream = destination({ dest: 1, sync: true })): Log {
  return pino({ ...logFormat, level }, stream)
}

const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu
const MAX_NAME_LENGTH = 223

/** A name from the wire as it may stand in a log: no control or formatting characters, no more than an iSCSI name has. */
export function printable(name: string): string {
  return name.replace(INVISIBLE, '').slice(0, MAX_NAME_LENGTH)
}
