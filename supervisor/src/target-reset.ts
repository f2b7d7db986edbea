/**
 * TARGET COLD RESET: to initiators the target has been switched off and on, so all of their connections end [7143 §11.5.1].
 *
 * That is every session of an operator's target, in whatever worker it is. On a free target it is the asker's own session: the others
 * are strangers, who have disks of their own. The units were reset by then, and the asker was answered.
 *
 * Left out: sessions that are still logging in. They are taken for new ones.
 */

import type { Log } from './log.js'
import type { NexusRegistry } from './nexus-registry.js'
import type { SessionHost } from './session-host.js'
import type { TargetDirectory } from './targets.js'

export interface TargetResetParts {
  readonly hosts: () => Pick<SessionHost, 'session' | 'sessionsOf' | 'end'>
  readonly registry: Pick<NexusRegistry, 'poweredOn'>
  readonly directory: Pick<TargetDirectory, 'find'>
  readonly log: Log
}

const WHY = 'TARGET COLD RESET [7143 §11.5.1]'

/** Tells the sessions of the asker's target to end, and does not wait for it; nothing to do for an asker that has ended. */
export function resetTarget(sessionId: number, { hosts, registry, directory, log }: TargetResetParts): void {
  const asker = hosts().session(sessionId)
  if (!asker?.login) return
  const { target } = asker.login
  const isShared = directory.find(target)?.private === false
  const sessions = isShared ? hosts().sessionsOf(target) : [asker]
  log.info({ event: 'target.reset', sessionId, ...asker.login, sessions: sessions.length })
  for (const { id } of sessions) {
    registry.poweredOn(id)
    void hosts().end(id, 'reset', WHY)
  }
}
