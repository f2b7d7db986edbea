// The port that a command came in by, as several commands name it [SPC-4 §7.8.6, §7.8.12, §6.37]. A portal group is a target port.

import type { Target } from '../logical-unit.js'

/** All ports give the same access, so they form one group. */
export const TARGET_PORT_GROUP = 1

/** The relative port identifier is 1 or more; 0 is reserved [SPC-4 §7.8.6.7]. */
export function relativePort({ portalGroupTag }: Pick<Target, 'portalGroupTag'>): number {
  return Math.max(1, portalGroupTag)
}

/** The name of the port: iSCSI name, `t`, and portal group tag [SAM-5 annex A, 7143 §3.4.1]. */
export function portName({ name, portalGroupTag }: Pick<Target, 'name' | 'portalGroupTag'>): string {
  return `${name},t,0x${portalGroupTag.toString(16).padStart(4, '0')}`
}
