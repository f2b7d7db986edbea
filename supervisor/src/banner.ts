/**
 * What a started server says: one JSON line that scripts wait for, whatever the log level; on a terminal also what to type next.
 */
import { type Config, formatAddress } from '@scsipub/config'
import type { Log } from './log.js'

export interface Ready {
  readonly config: Config
  /** Where it listens, as `ip:port`. */
  readonly iscsi: string
  readonly http: string
  readonly targets: number
}

/** Says it; `terminal` writes plain text, or is undefined when nobody sits there. */
export function announce(
  { config, iscsi, http, targets }: Ready,
  log: Log,
  terminal: ((text: string) => void) | undefined,
): void {
  log.child({}, { level: 'info' }).info({ event: 'server.ready', iscsi, http, targets, pid: process.pid })
  terminal?.(bannerText({ config, iscsi, http, targets }))
}

function bannerText({ config, iscsi, targets }: Ready): string {
  const portal = config.advertise.iscsi ? formatAddress(config.advertise.iscsi) : portalOf(iscsi)
  return `
scsipub serves ${targets} targets on ${iscsi}. On another machine with open-iscsi, as root:

  iscsiadm -m discovery -t sendtargets -p ${portal}
  iscsiadm -m node -T ${config.iqnPrefix}:blank -p ${portal} --login

`
}

/** A listener on every address is reached by one that only the reader knows. */
function portalOf(iscsi: string): string {
  return iscsi.replace(/^(0\.0\.0\.0|\[::\])(?=:)/, 'HOST')
}
