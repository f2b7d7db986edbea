/**
 * The initiator ports that a logical unit knows of: those with a session on its target. They are asked for by the name of their node, when a node is
 * registered as a whole [SPC-4 §7.6.4.6].
 *
 * A disk of a free target belongs to one session alone, and knows nobody else: who else calls himself by the same name is a stranger.
 */
import type { SupervisorRequest } from '@scsipub/contract'
import type { NexusRegistry } from './nexus-registry.js'
import type { SessionHost } from './session-host.js'
import type { TargetDirectory } from './targets.js'

export interface KnownPortsParts {
  readonly hosts: () => Pick<SessionHost, 'session' | 'sessionsOf'>
  readonly registry: Pick<NexusRegistry, 'portOf'>
  readonly directory: Pick<TargetDirectory, 'find'>
}

type Asked = Pick<Extract<SupervisorRequest, { kind: 'nexus.ports' }>, 'sessionId' | 'nodes'>

/** Names of the ports of `nodes`, each once; none for an asker that has ended. */
export function knownPorts({ sessionId, nodes }: Asked, { hosts, registry, directory }: KnownPortsParts): string[] {
  const asker = hosts().session(sessionId)
  if (!asker?.login) return []
  const { target } = asker.login
  const isShared = directory.find(target)?.private === false
  const wanted = new Set(nodes)
  const ports = (isShared ? hosts().sessionsOf(target) : [asker]).flatMap(({ id }) => {
    const known = registry.portOf(id)
    return known && wanted.has(known.initiatorName) ? [known.port] : []
  })
  return [...new Set(ports)]
}
